use super::*;

fn open(dir: &Path) -> Writer {
    Writer::open(&dir.join("t.db"), |c| Ok(c.execute_batch("CREATE TABLE IF NOT EXISTS t(n INTEGER UNIQUE) STRICT")?))
        .expect("open")
}

fn insert(n: i64) -> impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static {
    move |c| Ok(c.execute("INSERT INTO t VALUES (?1)", [n]).map(|_| ())?)
}

/// Holds the thread until both acts wait, so that they are of one group.
fn together<A: Send, B: Send>(
    writer: &Writer,
    first: impl Future<Output = A> + Send,
    second: impl Future<Output = B> + Send,
) -> (A, B) {
    let (hold, held) = mpsc::channel::<()>();
    let holding = writer.queue(Undo::Alone, move |_: &Connection| {
        held.recv().ok();
        Ok::<_, StoreError>(())
    });
    let mut both = std::pin::pin!(async { tokio::join!(first, second) });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(both.as_mut().poll(&mut context).is_pending());
    hold.send(()).expect("held");
    // It is of their group, and fails with it.
    drop(holding.expect("queued").blocking_recv().expect("answered"));
    tokio::runtime::Builder::new_current_thread().build().expect("runtime").block_on(both)
}

#[test]
fn a_bare_act_that_errs_errs_alone_before_it_wrote_and_with_its_group_after() {
    let dir = tempfile::tempdir().expect("dir");
    let writer = open(dir.path());
    let refuses = |_: &Connection| Err::<(), _>(StoreError::Full);
    let (refused, kept) = together(&writer, writer.commit_bare(refuses), writer.commit(insert(1)));
    assert!(matches!(refused, Err(StoreError::Full)) && kept.is_ok());
    let half = |conn: &Connection| {
        insert(2)(conn)?;
        insert(1)(conn)
    };
    let (failed, lost) = together(&writer, writer.commit_bare(half), writer.commit(insert(3)));
    assert!(matches!(failed, Err(StoreError::Sqlite(_))), "it hears its own error");
    assert!(matches!(lost, Err(StoreError::Commit(_))), "the other hears that nothing was written");
    // What its own savepoint took back is told in its answer, and spoils nothing.
    let savepoint = move |conn: &Connection| Ok::<_, StoreError>(in_savepoint(conn, half));
    let (refused, kept) = together(&writer, writer.commit_bare(savepoint), writer.commit(insert(5)));
    assert!(matches!(refused, Ok(Err(StoreError::Sqlite(_)))) && kept.is_ok());
    // The next group begins as if nothing had been.
    writer.commit_blocking(insert(4)).expect("written");
    drop(writer);
    let conn = Connection::open(dir.path().join("t.db")).expect("again");
    let sum: i64 = conn.query_row("SELECT sum(n) FROM t", [], |r| r.get(0)).expect("sum");
    assert_eq!(sum, 1 + 4 + 5);
}

#[test]
fn an_act_after_which_the_database_takes_the_group_back_leaves_nothing_of_the_others_behind() {
    let dir = tempfile::tempdir().expect("dir");
    let writer = open(dir.path());
    writer.commit_blocking(insert(1)).expect("written");
    // As after an error of the disk, all of the transaction is gone.
    let takes_all = |conn: &Connection| Ok(conn.execute("INSERT OR ROLLBACK INTO t VALUES (1)", [])?);
    let (failed, lost) = together(&writer, writer.commit(takes_all), writer.commit(insert(2)));
    assert!(matches!(failed, Err::<usize, _>(StoreError::Sqlite(_))), "{failed:?}");
    assert!(matches!(lost, Err(StoreError::Commit(_))), "{lost:?}");
    writer.commit_blocking(insert(3)).expect("written");
    drop(writer);
    let conn = Connection::open(dir.path().join("t.db")).expect("again");
    let sum: i64 = conn.query_row("SELECT sum(n) FROM t", [], |r| r.get(0)).expect("sum");
    assert_eq!(sum, 1 + 3, "what was told to be nothing is nothing");
}

#[test]
fn one_act_that_errs_does_not_take_the_others_with_it() {
    let dir = tempfile::tempdir().expect("dir");
    let writer = open(dir.path());
    let threads: Vec<_> = (0..40)
        .map(|n| {
            let writer = writer.clone();
            thread::spawn(move || writer.commit_blocking(insert(n / 2)).is_ok())
        })
        .collect();
    let done = threads.into_iter().map(|t| t.join().expect("thread")).filter(|ok| *ok).count();
    assert_eq!(done, 20, "each number once");
    drop(writer);
    let count: i64 = Connection::open(dir.path().join("t.db"))
        .expect("again")
        .query_row("SELECT count(*) FROM t", [], |r| r.get(0))
        .expect("count");
    assert_eq!(count, 20);
}
