//! A teacher has forgotten her code, ten minutes before class, and the Internet is down.

use anyhow::{Result, ensure};
use preau_tests::browser::{Browser, Opening};

use crate::screens::{DESK, TELEPHONE, morning, open_teacher_page, photograph_at, pictures};

const OWN: &str = "314159";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_head_resets_a_teacher_offline_and_she_chooses_her_own_secret() -> Result<()> {
    let morning = morning().await?;
    let (head, teacher) = (morning.people("head")?.remove(0), morning.people("teacher")?.remove(0));
    let (url, pictures) = (morning.text("/schools/0/box/url"), pictures()?);
    morning.tell(&["wan", "down", morning.text("/schools/0/uai")]).await?;
    let (office, room) = (Browser::open(Opening::default()).await?, Browser::open(Opening::default()).await?);
    open_teacher_page(&room, url, &teacher.payload, &teacher.second_factor).await?;

    // Three touches of the head's, and a code that is good once.
    open_teacher_page(&office, url, &head.payload, &head.second_factor).await?;
    office.touch("[data-key=staff]").await?;
    photograph_at(&office, &[DESK, TELEPHONE], &pictures, "staff").await?;
    office.touch(&format!("[data-person=\"{}\"]", teacher.person_id)).await?;
    office.touch("dialog .danger, dialog .main").await?;
    let code = office.see("dialog .read-out").await?.text().await?.replace(' ', "");
    ensure!(code.len() == 8 && code.chars().all(|c| c.is_ascii_digit()), "the code is {code}");
    photograph_at(&office, &[DESK, TELEPHONE], &pictures, "activation").await?;

    // What she knew opens nothing any more, and the page that stood open is closed.
    room.see("#by-badge").await?;
    room.write("#badge", &teacher.payload).await?;
    room.write("#pin", &teacher.second_factor).await?;
    room.touch("#by-badge .main").await?;
    room.shows("Ce n'est pas le bon code", 1).await?;

    // With the code she chooses her own: what anybody would try first is not taken.
    room.write("#badge", &teacher.payload).await?;
    room.write("#pin", &code).await?;
    room.touch("#by-badge .main").await?;
    chooses(&room, "123456").await?;
    room.see("dialog [role=alert]:not([hidden])").await?;
    photograph_at(&room, &[DESK, TELEPHONE], &pictures, "secret-chosen").await?;
    chooses(&room, OWN).await?;
    room.see(".pupils").await?;
    room.touch("[data-key=leave]").await?;

    // The code is spent; what she chose opens.
    room.see("#by-badge").await?;
    room.write("#badge", &teacher.payload).await?;
    room.write("#pin", &code).await?;
    room.touch("#by-badge .main").await?;
    room.shows("Ce n'est pas le bon code", 1).await?;
    open_teacher_page(&room, url, &teacher.payload, OWN).await?;
    office.close().await?;
    room.close().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_school_year_and_the_head_prints_a_slip_for_each_new_teacher() -> Result<()> {
    let morning = morning().await?;
    let (head, teacher) = (morning.people("head")?.remove(0), morning.people("teacher")?.remove(0));
    let (url, pictures) = (morning.text("/schools/0/box/url"), pictures()?);
    let office = Browser::open(Opening::default()).await?;
    open_teacher_page(&office, url, &head.payload, &head.second_factor).await?;
    office.touch("[data-key=staff]").await?;
    office.touch("[data-key=several]").await?;
    office.see("dialog input[name=person]:checked").await?;
    photograph_at(&office, &[DESK, TELEPHONE], &pictures, "staff-several").await?;
    office.touch("dialog button[type=submit]").await?;
    office.shows("codes d'activation imprimés", 1).await?;
    photograph_at(&office, &[DESK, TELEPHONE], &pictures, "staff-printed").await?;
    office.touch("dialog footer .main").await?;

    // One of them has lost her slip: the head tells the code and prints it again; what the DSI gave opens no more.
    office.touch("[data-key=staff]").await?;
    office.touch(&format!("[data-person=\"{}\"]", teacher.person_id)).await?;
    office.touch("dialog .danger, dialog .main").await?;
    let code = office.see("dialog .read-out").await?.text().await?.replace(' ', "");
    office.touch("dialog footer .quiet").await?;
    office.touch("dialog footer .main").await?;
    let room = Browser::open(Opening::default()).await?;
    room.goto(&format!("{url}/enseignant")).await?;
    for (pin, opens) in [(&teacher.second_factor, false), (&code, true)] {
        room.write("#badge", &teacher.payload).await?;
        room.write("#pin", pin).await?;
        room.touch("#by-badge .main").await?;
        if !opens {
            room.shows("Ce n'est pas le bon code", 1).await?;
        }
    }
    chooses(&room, OWN).await?;
    room.see(".pupils").await?;
    room.close().await?;
    office.close().await
}

async fn chooses(page: &Browser, secret: &str) -> Result<()> {
    page.write("dialog #secret-new", secret).await?;
    page.write("dialog #secret-again", secret).await?;
    page.touch("dialog button[type=submit]").await
}
