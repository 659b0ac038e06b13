//! Screens, in a real browser: the tablet's, the teacher's and the DSI's.

use std::path::Path;

use anyhow::{Result, ensure};
use preau_tests::browser::Browser;

/// Enrols this browser as a tablet, if it is not one yet, and waits for the badge reader.
pub async fn enrol_tablet(browser: &Browser, box_url: &str, code: &str, name: &str) -> Result<()> {
    browser.goto(&format!("{box_url}/tablette")).await?;
    browser.write("#code", code).await?;
    browser.write("#name", name).await?;
    browser.touch(".enrol .main").await?;
    browser.see(".ready").await?;
    Ok(())
}

/// Opens the tablet's page, enrols it, types a badge and returns the name on the screen.
pub async fn open_tablet_page_and_sign_in(
    browser: &Browser,
    box_url: &str,
    enrolment_code: &str,
    badge_payload: &str,
) -> Result<String> {
    enrol_tablet(browser, box_url, enrolment_code, "Tablette 01").await?;
    sign_in(browser, badge_payload).await
}

/// Types a badge at the reader and returns the name on the screen.
pub async fn sign_in(browser: &Browser, badge_payload: &str) -> Result<String> {
    browser.write("#badge", badge_payload).await?;
    Ok(browser.see("#given-name").await?.text().await?)
}

/// Touches « J'ai fini » and waits until the tablet is wiped and ready for the next child.
pub async fn sign_out(browser: &Browser) -> Result<()> {
    browser.touch(".sign-out").await?;
    browser.see(".ready").await?;
    let text = browser.text().await?;
    ensure!(!text.contains("Bonjour"), "the reader still greets somebody: {text}");
    Ok(())
}

/// Opens the teacher's page with badge and code, and waits for a class.
pub async fn open_teacher_page(browser: &Browser, box_url: &str, badge_payload: &str, pin: &str) -> Result<()> {
    browser.goto(&format!("{box_url}/enseignant")).await?;
    browser.write("#badge", badge_payload).await?;
    browser.write("#pin", pin).await?;
    browser.touch("#by-badge .main").await?;
    browser.see(".pupils").await?;
    Ok(())
}

/// Opens the DSI's page of the coordinator with its password.
pub async fn open_dsi_page(browser: &Browser, cloud_url: &str, user: &str, password: &str) -> Result<()> {
    browser.goto(cloud_url).await?;
    browser.write("form input:not([type=password]):not([type=hidden])", user).await?;
    browser.write("form input[type=password]", password).await?;
    browser.touch("form button[type=submit], form button").await?;
    browser.gone("form input[type=password]").await
}

/// Takes a picture at the sizes that the page is made for.
pub async fn photograph_at(browser: &Browser, sizes: &[(u32, u32)], folder: &Path, name: &str) -> Result<()> {
    for (width, height) in sizes {
        browser.resize(*width, *height).await?;
        browser.photograph(&folder.join(format!("{name}-{width}x{height}.png"))).await?;
    }
    Ok(())
}
