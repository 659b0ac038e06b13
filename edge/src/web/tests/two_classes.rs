//! A pupil of two classes says with which one she works; in a mixed class the level decides.

use std::collections::BTreeSet;

use preau_shared::{
    documents::{Catalogue, CatalogueItem, Class, ItemKind, Writer as Side, class},
    ids::{CatalogueId, ClassId},
    rig::shelves,
    time::Stamp,
};
use serde_json::{Value, json};

use super::school::{Answer, School, author, shelf};
use crate::{replica::project::Rows, store::Trouble};

impl School {
    /// Another class for Lina and a catalogue of each class, as the coordinator writes them; the other class's name.
    async fn second_class(&self) -> ClassId {
        let (other, first, lina, head) = (ClassId::from_bytes([9; 16]), self.class, self.lina.0, self.head.0);
        let coordinator = author(9, Side::Coordinator);
        let seeded = self.app.writer.commit(move |conn| {
            let put = |edit| shelves::edit(conn, &coordinator, &shelf(), Stamp(0), &edit, &Rows);
            let class = Class {
                id: other,
                name: "CP CE1 B".into(),
                level: "CP CE1".into(),
                school_year: "2026-2027".into(),
                members: [lina].into(),
                teachers: [head].into(),
                deleted: false,
            };
            put(class.edit())?;
            for (n, class, levels, title) in [
                (1, Some(first), vec![], "of CP A"),
                (2, Some(other), vec![], "of CP CE1 B"),
                (3, Some(other), vec!["CE1"], "of its CE1"),
                (4, Some(other), vec!["CP"], "of its CP"),
                (5, None, vec!["CE1"], "of every CE1"),
                (6, None, vec!["CP"], "of every CP"),
            ] {
                let item = CatalogueItem {
                    key: "0".into(),
                    kind: ItemKind::Document,
                    title: title.into(),
                    url: "https://example.org/".into(),
                    icon: "book".into(),
                };
                let levels: BTreeSet<String> = levels.into_iter().map(str::to_owned).collect();
                let id = CatalogueId::from_bytes([n; 16]);
                put(Catalogue { id, levels, class, items: vec![item], deleted: false }.edit())?;
            }
            Ok::<_, Trouble>(())
        });
        seeded.await.expect("seeded");
        other
    }
}

fn documents(answer: &Answer) -> BTreeSet<String> {
    let listed = answer.body["environment"]["documents"].as_array().expect("documents").iter();
    listed.map(|document| document["title"].as_str().expect("title").to_owned()).collect()
}

fn set(titles: &[&str]) -> BTreeSet<String> {
    titles.iter().map(|title| (*title).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pupil_of_two_classes_is_asked_and_her_choice_holds_for_the_session() {
    let school = School::open().await;
    let other = school.second_class().await;
    let mut tablet = school.tablet("T01").await;
    let opened = tablet.scan(&school.lina.2).await;
    let session = opened.text("token");
    // Until she says, she has what both have, and nothing of another level.
    let both = set(&["of CP A", "of CP CE1 B", "of its CP", "of every CP"]);
    assert_eq!(documents(&opened), both);
    let classes = opened.body["environment"]["classes"].as_array().expect("classes").clone();
    let of = |class: ClassId| classes.iter().find(|c| c["class_id"] == json!(class)).expect("offered").clone();
    assert_eq!((&of(other)["name"], &of(other)["teacher"]["given_name"]), (&json!("CP CE1 B"), &json!("M. B")));
    assert_eq!(of(school.class)["teacher"]["given_name"], "Mme A");
    assert_ne!(of(other)["picture"], of(school.class)["picture"]);
    assert_eq!(opened.body["environment"]["class_id"], Value::Null);
    let policy = opened.body["environment"]["policy"].clone();

    let path = "/api/v1/sessions/current/class";
    let chosen = tablet.ask(Some(&session), "PUT", path, json!({"class_id": other})).await;
    assert_eq!((chosen.status, &chosen.body["environment"]["class_id"]), (200, &json!(other)));
    assert_eq!(documents(&chosen), set(&["of CP CE1 B", "of its CP", "of every CP"]));
    assert_eq!(chosen.body["environment"]["policy"], policy);
    for strange in [json!({"class_id": ClassId::from_bytes([5; 16])}), json!({"class_id": school.lina.0})] {
        assert_eq!(tablet.ask(Some(&session), "PUT", path, strange).await.code(), (404, "not_found"));
    }
    // After a reload, and after a restart of the box.
    let school = school.restart().await;
    tablet.at = school.at;
    let again = tablet.ask(Some(&session), "GET", "/api/v1/sessions/current", Value::Null).await;
    assert_eq!((documents(&again), &again.body["environment"]["class_id"]), (documents(&chosen), &json!(other)));
    let changed = tablet.ask(Some(&session), "PUT", path, json!({"class_id": school.class})).await;
    assert_eq!(documents(&changed), set(&["of CP A", "of every CP"]));

    // She leaves that class: what she chose holds nothing back.
    let (coordinator, lina, left) = (author(9, Side::Coordinator), school.lina.0, school.class);
    let leaves = school.app.writer.commit(move |conn| {
        shelves::edit(conn, &coordinator, &shelf(), Stamp(0), &class::leave(left, lina), &Rows).map_err(Trouble::from)
    });
    leaves.await.expect("left");
    let alone = tablet.ask(Some(&session), "GET", "/api/v1/sessions/current", Value::Null).await;
    assert_eq!(documents(&alone), set(&["of CP CE1 B", "of its CP", "of every CP"]));
    assert_eq!(alone.body["environment"]["classes"], Value::Null);

    // The next session asks anew; others are never asked.
    tablet.leaves(&session).await;
    let his = tablet.scan(&school.noe.2).await;
    assert_eq!(his.body["environment"]["classes"], Value::Null);
    let asked = tablet.ask(Some(&his.text("token")), "PUT", path, json!({"class_id": school.class})).await;
    assert_eq!(asked.code(), (404, "not_found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_of_a_mixed_class_finds_what_each_of_its_levels_finds() {
    let school = School::open().await;
    let other = school.second_class().await;
    let mut tablet = school.tablet("T01").await;
    let cookie = school.head().await.cookie;
    let open = format!("/api/v1/classes/{other}/guests");
    assert_eq!(school.by_staff(&cookie, "POST", &open, json!({"minutes": 60})).await.status, 201);
    let guest = tablet.sign_in(json!({"guest": other})).await;
    let all = ["of CP CE1 B", "of its CE1", "of its CP", "of every CE1", "of every CP"];
    assert_eq!(documents(&guest), set(&all));
}
