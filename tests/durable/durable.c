/* A disk that forgets what was not synced: loaded by LD_PRELOAD into the programs under test, never shipped.
 *
 * `kill -9` loses nothing that a program wrote: the kernel still has it. A power cut loses what was not synced. Here
 * both are one: for files under the folder $PREAU_DURABLE each write is carried out, and what it replaced is noted
 * beside (in `$PREAU_DURABLE.unsynced/<inode>`, with the new bytes). fsync or fdatasync of the file, by any descriptor,
 * throws its notes away. When the first program starts in the folder after all others have ended, however they ended,
 * the power "was cut": each file is put back to what it held at its last sync. Reads, sizes, locks and
 * other processes see the files as usual, because it is the past that is kept apart, not the present.
 *
 * $PREAU_DURABLE_KEEP=<seed>: as real disks do, some of what was not synced is there all the same: each sector of 512
 * bytes of each such write is kept or lost by the seed, in any combination. Without it, all of it is lost.
 *
 * $PREAU_DURABLE_LIE=1: the disk says that it synced and did not. For planted faults.
 *
 * Modelled: write, pwrite, writev, pwritev, pwritev2 (and their 64-bit names), ftruncate, truncate, O_TRUNC, creat,
 * fallocate, posix_fallocate; fsync, fdatasync; O_SYNC and O_DSYNC (a write by such a descriptor syncs its file);
 * several descriptors, processes and forks on one file; deletion and replacement of a file.
 * Held durable at once, kinder than a disk: creation, renaming and deletion of names; stdio (fopen); what is written
 * through mmap; and files named *-shm, which SQLite maps and remakes after a crash.
 * Harder than a disk: a clean end without sync loses too; sync(), syncfs() and sync_file_range() save nothing.
 * copy_file_range and sendfile say that they cannot, so that the caller writes.
 * The kernel's own sync is still carried out: its time belongs to the story.
 * Linux, 64 bits, glibc. One file system under the folder; nobody else removes files there while notes exist. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512
#define MAGIC 0x70726561752d3031ull

/* One write or truncation: what the range held before, what it was given, and the sizes of the file. */
struct note {
    uint64_t magic, offset, old_bytes, new_bytes, done_bytes, old_size, new_size;
};

/* Where, without a slash at the end; empty while the layer sleeps. Room is left for what is appended. */
static char folder[PATH_MAX - 64], state[PATH_MAX - 32];
static dev_t device;
static int lies;
static int turn_fd = -1; /* whoever holds its record lock may write notes */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void fatal(const char *what)
{
    dprintf(2, "durable: %s: %s\n", what, strerror(errno));
    _exit(86);
}

static void note_path(char *path, ino_t inode)
{
    snprintf(path, PATH_MAX, "%s/%llu", state, (unsigned long long)inode);
}

/* From here to `end` no other thread, process or signal handler writes. */
static void begin(sigset_t *signals)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, signals);
    pthread_mutex_lock(&turn);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(turn_fd, F_SETLKW, &lock) != 0)
        fatal("lock");
}

static void end(const sigset_t *signals)
{
    int kept = errno;
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    fcntl(turn_fd, F_SETLK, &lock);
    pthread_mutex_unlock(&turn);
    pthread_sigmask(SIG_SETMASK, signals, NULL);
    errno = kept;
}

/* Whether the descriptor is a file of the folder that a disk could forget. */
static int covered(int fd, struct stat *file)
{
    int kept = errno, yes = 0;
    char link[64], path[PATH_MAX];
    size_t length = strlen(folder);
    if (length > 0 && fstat(fd, file) == 0 && S_ISREG(file->st_mode) && file->st_nlink > 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        if (n > 0) {
            path[n] = 0;
            int inside = (size_t)n > length && strncmp(path, folder, length) == 0 && path[length] == '/';
            yes = inside && !(n > 4 && strcmp(path + n - 4, "-shm") == 0);
        }
    }
    errno = kept;
    return yes;
}

static void put(int fd, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t n = syscall(SYS_write, fd, at, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            fatal("a note cannot be written");
        at += n;
        count -= (size_t)n;
    }
}

/* Copies what the file holds at `offset` into the notes. The program's descriptor may be for writing only. */
static void put_old(int notes, int fd, uint64_t offset, uint64_t count)
{
    char link[64], block[1 << 16];
    if (count == 0)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int from = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
    if (from < 0)
        fatal("a file cannot be read");
    while (count > 0) {
        size_t want = count < sizeof block ? (size_t)count : sizeof block;
        ssize_t n = pread(from, block, want, (off_t)offset);
        if (n <= 0)
            fatal("a file cannot be read");
        put(notes, block, (size_t)n);
        offset += (uint64_t)n;
        count -= (uint64_t)n;
    }
    close(from);
}

/* Notes what is about to be done; returns the notes' descriptor and where this note begins. */
static int take_note(int fd, const struct stat *file, struct note note, const struct iovec *parts, int count, off_t *at)
{
    char path[PATH_MAX];
    note_path(path, file->st_ino);
    int notes = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (notes < 0)
        fatal(path);
    *at = lseek(notes, 0, SEEK_END);
    put(notes, &note, sizeof note);
    put_old(notes, fd, note.offset, note.old_bytes);
    for (int i = 0; i < count; i++)
        put(notes, parts[i].iov_base, parts[i].iov_len);
    return notes;
}

/* All that was written to the file so far is durable. */
static void forget(ino_t inode)
{
    char path[PATH_MAX];
    note_path(path, inode);
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* Any write: `offset` below 0 means where the descriptor stands. */
static ssize_t written(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    struct stat file;
    sigset_t signals;
    if (!covered(fd, &file))
        return offset < 0 && flags == 0
                   ? syscall(SYS_writev, fd, parts, count)
                   : syscall(SYS_pwritev2, fd, parts, count, offset, 0L, flags);
    begin(&signals);
    int mode = fcntl(fd, F_GETFL);
    uint64_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    if (fstat(fd, &file) != 0)
        fatal("fstat");
    if (file.st_nlink == 0) { /* deleted meanwhile: nothing of it outlives the program */
        ssize_t n = syscall(SYS_pwritev2, fd, parts, count, offset, 0L, flags);
        end(&signals);
        return n;
    }
    uint64_t size = (uint64_t)file.st_size;
    uint64_t at = mode & O_APPEND ? size : offset < 0 ? (uint64_t)lseek(fd, 0, SEEK_CUR) : (uint64_t)offset;
    uint64_t under = at >= size ? 0 : size - at < total ? size - at : total;
    struct note note = {MAGIC, at, under, total, total, size, at + total > size ? at + total : size};
    off_t begins;
    int notes = take_note(fd, &file, note, parts, count, &begins);
    ssize_t n = offset < 0 && flags == 0 ? syscall(SYS_writev, fd, parts, count)
                                         : syscall(SYS_pwritev2, fd, parts, count, offset, 0L, flags);
    int kept = errno;
    if (n <= 0) {
        if (syscall(SYS_ftruncate, notes, begins) != 0)
            fatal("a note cannot be taken back");
    } else if ((uint64_t)n < total) {
        char path[PATH_MAX];
        note_path(path, file.st_ino);
        int again = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
        /* `notes` appends, whatever offset it is given. */
        note.done_bytes = (uint64_t)n;
        note.new_size = at + (uint64_t)n > size ? at + (uint64_t)n : size;
        if (again < 0 || syscall(SYS_pwrite64, again, &note, sizeof note, begins) != (long)sizeof note)
            fatal("a note cannot be corrected");
        close(again);
    }
    close(notes);
    if (n > 0 && !lies && (mode & (O_SYNC | O_DSYNC) || flags & (RWF_SYNC | RWF_DSYNC)))
        forget(file.st_ino);
    errno = kept;
    end(&signals);
    return n;
}

/* Any change of size; `grow_only` for allocation. */
static int resized(int fd, uint64_t size, int grow_only)
{
    struct stat file;
    sigset_t signals;
    if (!covered(fd, &file))
        return (int)syscall(SYS_ftruncate, fd, (off_t)size);
    begin(&signals);
    if (fstat(fd, &file) != 0)
        fatal("fstat");
    uint64_t old = (uint64_t)file.st_size, lost = size < old ? old - size : 0;
    int result = 0;
    if (!(grow_only && size <= old)) {
        off_t begins;
        struct note note = {MAGIC, size < old ? size : old, lost, 0, 0, old, size};
        if (file.st_nlink > 0)
            close(take_note(fd, &file, note, NULL, 0, &begins));
        result = (int)syscall(SYS_ftruncate, fd, (off_t)size);
    }
    end(&signals);
    return result;
}

static int synced(int fd, long call)
{
    struct stat file;
    sigset_t signals;
    if (!covered(fd, &file))
        return (int)syscall(call, fd);
    begin(&signals);
    int result = (int)syscall(call, fd);
    if (result == 0 && !lies)
        forget(file.st_ino);
    end(&signals);
    return result;
}

/* The inode that a name is the last one of; 0 for none. */
static ino_t last_name(int dir, const char *path)
{
    struct stat file;
    int kept = errno, found = folder[0] && fstatat(dir, path, &file, AT_SYMLINK_NOFOLLOW) == 0;
    errno = kept;
    return found && S_ISREG(file.st_mode) && file.st_nlink == 1 && file.st_dev == device ? file.st_ino : 0;
}

static int opened(int dir, const char *path, int flags, mode_t mode)
{
    int cuts = (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY && folder[0];
    int fd = (int)syscall(SYS_openat, dir, path, cuts ? flags & ~O_TRUNC : flags, mode);
    struct stat file;
    if (fd >= 0 && cuts && fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0 && resized(fd, 0, 0) != 0) {
        int kept = errno;
        close(fd);
        errno = kept;
        return -1;
    }
    return fd;
}

/* What programs call instead of the C library's. */

static mode_t mode_of(int flags, va_list rest)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_of(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        return opened(AT_FDCWD, path, flags, mode);                                                                    \
    }
#define OPENAT(name)                                                                                                   \
    int name(int dir, const char *path, int flags, ...)                                                                \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_of(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        return opened(dir, path, flags, mode);                                                                         \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

ssize_t write(int fd, const void *bytes, size_t count)
{
    struct stat file;
    if (!covered(fd, &file))
        return syscall(SYS_write, fd, bytes, count);
    struct iovec part = {(void *)bytes, count};
    return written(fd, &part, 1, -1, 0);
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return written(fd, parts, count, -1, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    struct stat file;
    if (!covered(fd, &file))
        return syscall(SYS_pwrite64, fd, bytes, count, offset);
    struct iovec part = {(void *)bytes, count};
    return written(fd, &part, 1, offset, 0);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) { return pwrite(fd, bytes, count, offset); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return written(fd, parts, count, offset, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    return written(fd, parts, count, offset, 0);
}
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return written(fd, parts, count, offset, flags);
}
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return written(fd, parts, count, offset, flags);
}
int ftruncate(int fd, off_t size) { return resized(fd, (uint64_t)size, 0); }
int ftruncate64(int fd, off_t size) { return resized(fd, (uint64_t)size, 0); }
int truncate(const char *path, off_t size)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int result = resized(fd, (uint64_t)size, 0), kept = errno;
    close(fd);
    errno = kept;
    return result;
}
int truncate64(const char *path, off_t size) { return truncate(path, size); }
int fallocate(int fd, int mode, off_t offset, off_t count)
{
    struct stat file;
    if (!covered(fd, &file))
        return (int)syscall(SYS_fallocate, fd, mode, offset, count);
    if (mode != 0) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return resized(fd, (uint64_t)(offset + count), 1);
}
int fallocate64(int fd, int mode, off_t offset, off_t count) { return fallocate(fd, mode, offset, count); }
int posix_fallocate(int fd, off_t offset, off_t count)
{
    int kept = errno, error = fallocate(fd, 0, offset, count) == 0 ? 0 : errno;
    errno = kept;
    return error;
}
int posix_fallocate64(int fd, off_t offset, off_t count) { return posix_fallocate(fd, offset, count); }
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t count, unsigned int flags)
{
    struct stat file;
    if (!covered(to, &file))
        return syscall(SYS_copy_file_range, from, from_at, to, to_at, count, flags);
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile(int to, int from, off_t *from_at, size_t count)
{
    struct stat file;
    if (!covered(to, &file))
        return syscall(SYS_sendfile, to, from, from_at, count);
    errno = EINVAL;
    return -1;
}
ssize_t sendfile64(int to, int from, off_t *from_at, size_t count) { return sendfile(to, from, from_at, count); }

int unlinkat(int dir, const char *path, int flags)
{
    sigset_t signals;
    if (!folder[0] || flags & AT_REMOVEDIR)
        return (int)syscall(SYS_unlinkat, dir, path, flags);
    begin(&signals);
    ino_t inode = last_name(dir, path);
    int result = (int)syscall(SYS_unlinkat, dir, path, flags);
    if (result == 0 && inode != 0)
        forget(inode);
    end(&signals);
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int remove(const char *path)
{
    int result = unlink(path);
    return result != 0 && errno == EISDIR ? unlinkat(AT_FDCWD, path, AT_REMOVEDIR) : result;
}
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
    sigset_t signals;
    if (!folder[0] || flags & RENAME_EXCHANGE)
        return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    begin(&signals);
    ino_t source = last_name(from_dir, from), target = last_name(to_dir, to);
    int result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (result == 0 && target != 0 && target != source)
        forget(target);
    end(&signals);
    return result;
}
int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

/* The power cut. */

/* splitmix64 (Steele, Lea and Flood 2014): the same seed keeps the same sectors. */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static void copy(int from, off_t from_at, int to, off_t to_at, uint64_t count)
{
    char block[1 << 16];
    while (count > 0) {
        size_t want = count < sizeof block ? (size_t)count : sizeof block;
        ssize_t n = pread(from, block, want, from_at);
        if (n <= 0 || syscall(SYS_pwrite64, to, block, n, to_at) != n)
            fatal("a file cannot be put back");
        from_at += n;
        to_at += n;
        count -= (uint64_t)n;
    }
}

/* Puts one file back to its last sync, then lets some of what was lost be there all the same. */
static void put_back(const char *path, ino_t inode, uint64_t *keep)
{
    char noted[PATH_MAX], line[256];
    note_path(noted, inode);
    int notes = (int)syscall(SYS_openat, AT_FDCWD, noted, O_RDONLY | O_CLOEXEC, 0);
    if (notes < 0)
        return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    struct stat whole;
    if (file < 0 || fstat(notes, &whole) != 0)
        fatal(path);
    off_t *places = NULL;
    size_t count = 0;
    uint64_t bytes = 0, kept = 0;
    struct note note;
    for (off_t at = 0; pread(notes, &note, sizeof note, at) == (ssize_t)sizeof note && note.magic == MAGIC;) {
        off_t next = at + (off_t)(sizeof note + note.old_bytes + note.new_bytes);
        if (next > whole.st_size)
            break; /* killed before the write that it was for */
        places = realloc(places, (count + 1) * sizeof *places);
        if (!places)
            fatal("memory");
        places[count++] = at;
        bytes += note.done_bytes;
        at = next;
    }
    for (size_t i = count; i-- > 0;) {
        if (pread(notes, &note, sizeof note, places[i]) != (ssize_t)sizeof note)
            fatal(noted);
        copy(notes, places[i] + (off_t)sizeof note, file, (off_t)note.offset, note.old_bytes);
        if (syscall(SYS_ftruncate, file, (off_t)note.old_size) != 0)
            fatal(path);
    }
    for (size_t i = 0; keep && i < count; i++) {
        if (pread(notes, &note, sizeof note, places[i]) != (ssize_t)sizeof note)
            fatal(noted);
        if (note.new_bytes == 0 && draw(keep) & 1 && syscall(SYS_ftruncate, file, (off_t)note.new_size) != 0)
            fatal(path);
        off_t from = places[i] + (off_t)(sizeof note + note.old_bytes);
        for (uint64_t at = 0; at < note.done_bytes;) {
            uint64_t run = SECTOR - (note.offset + at) % SECTOR;
            run = run < note.done_bytes - at ? run : note.done_bytes - at;
            if (draw(keep) & 1) {
                copy(notes, from + (off_t)at, file, (off_t)(note.offset + at), run);
                kept += run;
            }
            at += run;
        }
    }
    free(places);
    close(file);
    close(notes);
    char told[PATH_MAX];
    snprintf(told, sizeof told, "%s/forgotten", state);
    int out = (int)syscall(SYS_openat, AT_FDCWD, told, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const char *name = strrchr(path, '/');
    int n = snprintf(line, sizeof line, "%s writes=%zu bytes=%llu kept=%llu\n", name ? name + 1 : path, count,
                     (unsigned long long)bytes, (unsigned long long)kept);
    if (out >= 0 && n > 0)
        put(out, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    close(out);
}

static void put_all_back(const char *dir, uint64_t *keep)
{
    DIR *names = opendir(dir);
    if (!names)
        fatal(dir);
    for (struct dirent *name; (name = readdir(names));) {
        char path[PATH_MAX];
        struct stat file;
        if (strcmp(name->d_name, ".") == 0 || strcmp(name->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, name->d_name);
        if (lstat(path, &file) != 0)
            continue;
        if (S_ISDIR(file.st_mode))
            put_all_back(path, keep);
        else if (S_ISREG(file.st_mode))
            put_back(path, file.st_ino, keep);
    }
    closedir(names);
}

static void forget_all(void)
{
    DIR *names = opendir(state);
    if (!names)
        fatal(state);
    for (struct dirent *name; (name = readdir(names));) {
        if (name->d_name[0] >= '0' && name->d_name[0] <= '9')
            syscall(SYS_unlinkat, dirfd(names), name->d_name, 0);
    }
    closedir(names);
}

__attribute__((constructor)) static void start(void)
{
    const char *wanted = getenv("PREAU_DURABLE"), *seed = getenv("PREAU_DURABLE_KEEP");
    char real[PATH_MAX], path[PATH_MAX];
    struct stat dir;
    if (!wanted || !*wanted)
        return;
    if (!realpath(wanted, real) || stat(real, &dir) != 0 || !S_ISDIR(dir.st_mode) || strlen(real) >= sizeof folder)
        fatal(wanted);
    snprintf(state, sizeof state, "%s.unsynced", real);
    if (mkdir(state, 0700) != 0 && errno != EEXIST)
        fatal(state);
    snprintf(path, sizeof path, "%s/turn", state);
    turn_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    snprintf(path, sizeof path, "%s/alive", state);
    int alive = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (turn_fd < 0 || alive < 0)
        fatal(path);
    /* Held as long as anybody lives here: the descriptor is never closed, forks share it. */
    if (flock(alive, LOCK_EX | LOCK_NB) == 0) {
        uint64_t drawn = seed ? strtoull(seed, NULL, 10) : 0;
        put_all_back(real, seed ? &drawn : NULL);
        forget_all();
    }
    if (flock(alive, LOCK_SH) != 0)
        fatal(path);
    device = dir.st_dev;
    lies = getenv("PREAU_DURABLE_LIE") != NULL;
    memcpy(folder, real, strlen(real) + 1);
}
