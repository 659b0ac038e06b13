//! A child's stay at a tablet: she forgets to leave, she works on, it was not she.

use anyhow::{Context as _, Result, ensure};
use fantoccini::Locator;
use preau_tests::browser::{Browser, Opening};

use crate::screens::{enrol_tablet, morning, sign_in, sign_out};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_forgets_to_leave_is_asked_and_then_signed_out() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let code = morning.text("/schools/0/enrolment_code");
    let tablet = Browser::open(Opening::default()).await?;
    enrol_tablet(&tablet, &morning.page(), code, "Tablette 01").await?;
    let asked =
        async || Ok::<_, anyhow::Error>(!tablet.client().find_all(Locator::Css(".still-there")).await?.is_empty());

    // Nine minutes later she is asked, by her name; she is there.
    sign_in(&tablet, &pupil.payload).await?;
    tablet.seconds(500).await?;
    ensure!(!asked().await?, "asked too early");
    tablet.seconds(40).await?;
    ensure!(tablet.see(".still-there .name").await?.text().await? == pupil.given_name);
    tablet.touch(".still-there .main").await?;
    tablet.gone(".still-there").await?;
    tablet.seconds(500).await?;
    ensure!(!asked().await?, "her touch did not count");

    // A film plays: hands in the lap are no absence.
    tablet.client().execute(FILM, Vec::new()).await?;
    tablet.seconds(1_200).await?;
    ensure!(!asked().await? && tablet.see("#given-name").await?.text().await? == pupil.given_name);
    tablet.client().execute("document.querySelector('audio').remove()", Vec::new()).await?;

    // She is gone.
    tablet.seconds(600).await?;
    tablet.see(".ready").await?;

    // Somebody finds Lina's screen: it was not she, and the tablet is cleared at once.
    sign_in(&tablet, &pupil.payload).await?;
    tablet.touch(".not-me").await?;
    tablet.see(".ready").await?;
    tablet.close().await
}

/// Something that plays, as the page sees it.
const FILM: &str = "
    const film = document.createElement('audio');
    Object.defineProperty(film, 'paused', { value: false });
    Object.defineProperty(film, 'ended', { value: false });
    document.body.append(film);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dark_screen_ends_a_stay_and_an_application_in_front_does_not() -> Result<()> {
    let morning = morning().await?;
    let pupil = morning.people("pupil")?.remove(0);
    let code = morning.text("/schools/0/enrolment_code");
    let tablet = Browser::open(Opening::default()).await?;
    enrol_tablet(&tablet, &morning.page(), code, "Tablette 01").await?;
    let page = tablet.client().window().await?;

    // Her application is in front for the whole lesson: her stay goes on.
    sign_in(&tablet, &pupil.payload).await?;
    tablet.touch(".shortcut").await?;
    ensure!(hidden(&tablet).await?, "the application is not in front");
    tablet.seconds(3_000).await?;
    ensure!(tablet.text().await?.contains(&pupil.given_name), "signed out in the middle of her work");
    let all = tablet.client().windows().await?;
    let application = all.into_iter().find(|window| *window != page).context("the application's window")?;
    tablet.client().switch_to_window(application).await?;
    tablet.client().close_window().await?;
    tablet.client().switch_to_window(page).await?;
    sign_out(&tablet).await?;

    // The screen goes off, which a page sees as being hidden: a bump of the button is nothing, half a minute is the end.
    sign_in(&tablet, &pupil.payload).await?;
    tablet.client().execute("open('about:blank')", Vec::new()).await?;
    ensure!(hidden(&tablet).await?, "the screen is not off");
    tablet.seconds(10).await?;
    ensure!(tablet.text().await?.contains(&pupil.given_name), "a bump of the button signed her out");
    tablet.seconds(20).await?;
    tablet.see(".ready").await?;
    tablet.close().await
}

async fn hidden(browser: &Browser) -> Result<bool> {
    Ok(browser.client().execute("return document.hidden", Vec::new()).await?.as_bool().unwrap_or_default())
}
