//! Several coordinators over one PostgreSQL: who holds a shelf, and what becomes of an old holder's commit.

use std::{collections::BTreeMap, time::Duration};

use preau_shared::{
    ids::Uai,
    rig::{sql::values, writer::StoreError},
};

use super::{Database, Tx, open, server::Server, uai};

/// Adds a school and, with it, something to write about.
fn school(n: u8) -> impl FnOnce(&Tx) -> Result<Uai, StoreError> + Send + 'static {
    move |conn| {
        let uai = uai(&format!("09000{n:02}A"));
        let sql = "INSERT INTO schools(uai, name, slug) VALUES (?1, 'n', 's')";
        conn.execute(sql, values![uai.as_str()])?;
        Ok(uai)
    }
}

/// An act that writes to a shelf.
fn write(n: u8) -> impl FnOnce(&Tx) -> Result<(), StoreError> + Send + 'static {
    move |conn| {
        conn.guard(&format!("09000{n:02}A"))?;
        conn.execute("UPDATE schools SET name = 'written' WHERE uai = ?1", values![&format!("09000{n:02}A")])?;
        Ok(())
    }
}

fn held(store: &Database) -> BTreeMap<String, i64> {
    store.held().expect("leases").borrow().as_ref().clone()
}

async fn keep(store: &Database, renew: bool) {
    let Database::Postgres(server) = store else { panic!("no leases") };
    server.keep(renew).await.expect("kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shelf_is_written_by_its_holder_alone() {
    let server = Server::start().expect("server");
    let url = server.database("leases").expect("database");
    let (one, two) = (open(&url, 1).await.expect("one"), open(&url, 2).await.expect("two"));
    for n in 0..4 {
        one.commit(school(n)).await.expect("school");
    }
    keep(&one, true).await;
    assert_eq!(held(&one).len(), 5, "alone: four schools and the territory");
    one.commit(write(1)).await.expect("the holder");
    let refused = two.commit(write(1)).await;
    assert!(matches!(&refused, Err(StoreError::Elsewhere(shelf)) if shelf == "0900001A"), "{refused:?}");
    // A second one lives: the first gives up what is above its share, and it rests before it is taken.
    keep(&two, true).await;
    assert!(held(&two).is_empty());
    keep(&one, false).await;
    assert_eq!(held(&one).len(), 3);
    keep(&two, false).await;
    assert!(held(&two).is_empty(), "it rests");
    let end = |shelf: &str| format!("UPDATE leases SET ends = 1 WHERE shelf = '{shelf}'");
    server.run("leases", "UPDATE leases SET ends = 1 WHERE holder = decode(repeat('00', 16), 'hex')").expect("rested");
    keep(&two, false).await;
    assert_eq!(held(&two).len(), 2);
    assert!(held(&one).keys().all(|shelf| !held(&two).contains_key(shelf)), "no shelf is held twice");
    // The first stands still while its lease ends and another takes it: it may not go on.
    assert!(held(&one).contains_key("0900003A"), "{:?}", held(&one));
    server.run("leases", &end("0900003A")).expect("ended");
    let taken = two.commit(write(3)).await;
    taken.expect("whoever writes to a free shelf first holds it");
    assert_eq!(held(&two).get("0900003A"), Some(&2), "under a new fence");
    assert!(matches!(one.commit(write(3)).await, Err(StoreError::Elsewhere(_))));
    assert!(!held(&one).contains_key("0900003A"), "and it knows");
    // Taken back meanwhile, by the same holder: what began under the old fence is refused all the same.
    let act = {
        let (url, two) = (url.clone(), two.clone());
        let shelf = held(&two).keys().next().expect("one").clone();
        let of = shelf.clone();
        let (say, told) = std::sync::mpsc::channel();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let act = tokio::spawn(async move {
            let act = move |conn: &Tx| -> Result<(), StoreError> {
                say.send(()).expect("told");
                wait.recv_timeout(Duration::from_secs(2)).expect("in time");
                conn.guard(&of)
            };
            two.commit(act).await
        });
        tokio::task::spawn_blocking(move || told.recv()).await.expect("task").expect("begun");
        let moved = format!("UPDATE leases SET fence = fence + 2 WHERE shelf = '{shelf}'");
        server.run("leases", &moved).expect("there and back");
        go_on.send(()).expect("go on");
        drop(url);
        act.await.expect("task")
    };
    assert!(matches!(act, Err(StoreError::Elsewhere(_))), "{act:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_over_waits_for_a_commit_and_a_renewal_does_not() {
    let server = Server::start().expect("server");
    let url = server.database("locks").expect("database");
    let (one, two) = (open(&url, 1).await.expect("one"), open(&url, 2).await.expect("two"));
    one.commit(school(1)).await.expect("school");
    keep(&one, true).await;
    let (say, told) = std::sync::mpsc::channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let first = one.clone();
    let committing = tokio::spawn(async move {
        let act = move |conn: &Tx| -> Result<(), StoreError> {
            write(1)(conn)?;
            say.send(()).expect("told");
            wait.recv_timeout(Duration::from_secs(2)).expect("in time");
            Ok(())
        };
        first.commit(act).await
    });
    tokio::task::spawn_blocking(move || told.recv()).await.expect("task").expect("written");
    keep(&one, true).await;
    server.run("locks", "UPDATE leases SET ends = 1 WHERE shelf = '0900001A'").expect("ended");
    let early = two.commit(write(1)).await;
    assert!(matches!(early, Err(StoreError::Elsewhere(_))), "not while the old holder commits: {early:?}");
    go_on.send(()).expect("go on");
    committing.await.expect("task").expect("it began in time");
    two.commit(write(1)).await.expect("now");
    let name = two.read(|conn| {
        let row = conn.one("SELECT name FROM schools WHERE uai = '0900001A'", values![])?;
        row.text(0).map(str::to_owned)
    });
    assert_eq!(name.await.expect("read"), "written");
}
