//! A real browser, driven through its own driver (W3C WebDriver): screens are tested as people see them.

use std::{
    net::SocketAddr,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use fantoccini::{Client, ClientBuilder, Locator, elements::Element, wd::WindowHandle};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

/// Boxes of the pilot are called `<slug>.` and this.
pub const BOXES: &str = "box.preau.internal";
/// The driver is at hand within this time, or it never is.
const START: Duration = Duration::from_secs(30);
/// Anything that a page waits for happens within this time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a page is looked at while something is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// The rules of accessibility, run inside a page.
const AXE: &str = include_str!("../vendor/axe-core/axe.min.js");
/// Runs those of WCAG 2.1, levels A and AA, once nothing moves any more; a line for each that is broken.
const AXE_RUN: &str = "
    const done = arguments[arguments.length - 1];
    const moving = document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime < 5000);
    Promise.allSettled(moving.map((a) => a.finished))
        .then(() => axe.run(document, { iframes: false, runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }))
        .then((found) => done(found.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html + ' ' + n.failureSummary).join(' | '))))
        .catch((cause) => done([String(cause)]));";
/// Lets seconds go by for the tablet's page, which counts them one by one.
const SECONDS: &str = "
    const [count, done] = arguments;
    import(document.querySelector('script[type=module]').src)
        .then((page) => { for (let n = 0; n < count; n += 1) page.second(); done(null); })
        .catch((cause) => done(String(cause)));";

/// What a child opens and makes: on a host of its own, in a frame of the tablet's page. Elements of both are looked for.
const CONTENT: &str = "iframe.within";

/// How a browser is opened.
#[derive(Debug, Clone, Default)]
pub struct Opening<'a> {
    /// A film that its camera shows again and again ([`crate::frames::film`]); without one it has no camera.
    pub camera: Option<&'a Path>,
    /// Where every name of the Internet leads to; without one, nowhere.
    pub internet: Option<SocketAddr>,
    /// Without WebAssembly, as in old web views: the page cannot read badges itself.
    pub without_wasm: bool,
    /// The language it asks for, `fr` when none is said.
    pub lang: Option<&'a str>,
    /// It resolves names elsewhere than at the box: names of boxes lead there, those of sessions nowhere.
    pub sessions_nowhere: bool,
    /// It asks for every name here over HTTPS, and nowhere else (a template as of RFC 8484 §4.1).
    pub resolver: Option<&'a str>,
}

/// A browser with one page, its driver and its profile, which vanish together.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// Opens one, without a window.
    ///
    /// # Errors
    /// When `chromedriver` and `chromium` are not installed, or do not start.
    pub async fn open(how: Opening<'_>) -> Result<Self> {
        let profile = tempfile::tempdir().context("a folder for the profile")?;
        let driver = Driver::start().await?;
        let lang = how.lang.unwrap_or("fr");
        let internet = how.internet.map_or("~NOTFOUND".to_owned(), |address| address.to_string());
        let sessions = if how.sessions_nowhere { format!("MAP s-*.{BOXES} ~NOTFOUND, ") } else { String::new() };
        let boxes = format!("{sessions}MAP *.{BOXES} 127.0.0.1");
        let rules = match how.resolver {
            // Names of boxes lead it to its resolver.
            Some(_) => boxes,
            None => format!("{boxes}, MAP * {internet}, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
        };
        let state = how
            .resolver
            .map(|template| json!({ "dns_over_https.mode": "secure", "dns_over_https.templates": template }));
        let mut flags = vec![
            "--headless".to_owned(),
            // As large as a tablet, until a story says otherwise.
            "--window-size=1280,800".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            // The driver's own leniency does not reach service workers.
            "--ignore-certificate-errors".to_owned(),
            // Boxes and their sessions have names, as in a school, whose resolver is the box.
            format!("--host-resolver-rules={rules}"),
            format!("--accept-lang={lang}"),
            format!("--lang={lang}"),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if how.without_wasm {
            // Without a compiler, the engine offers none.
            flags.push("--js-flags=--jitless".to_owned());
        }
        if let Some(film) = how.camera {
            flags.push("--use-fake-device-for-media-stream".to_owned());
            flags.push("--use-fake-ui-for-media-stream".to_owned());
            flags.push(format!("--use-file-for-fake-video-capture={}", film.display()));
        }
        let mut options = json!({ "args": flags, "prefs": { "intl.accept_languages": lang } });
        if let (Some(state), Some(options)) = (state, options.as_object_mut()) {
            options.insert("localState".to_owned(), state);
        }
        let wishes = json!({ "acceptInsecureCerts": true, "goog:chromeOptions": options });
        let Value::Object(wishes) = wishes else { bail!("capabilities are an object") };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(wishes);
        let client = timeout(START, builder.connect(&driver.url)).await.context("the browser is too slow")??;
        Ok(Self { client, driver, _profile: profile })
    }

    /// The driver's own client, for what has no verb here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Goes to a page.
    ///
    /// # Errors
    /// When the browser does not.
    pub async fn goto(&self, url: &str) -> Result<()> {
        self.client.goto(url).await.with_context(|| format!("going to {url}"))
    }

    /// Gives the page this size, in CSS pixels; the window's own frame comes on top.
    ///
    /// # Errors
    /// When the browser does not.
    pub async fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.around().await?;
        self.client.set_window_rect(0, 0, width, height).await?;
        let script = "return [outerWidth - innerWidth, outerHeight - innerHeight]";
        let frame = self.client.execute(script, Vec::new()).await?;
        let side = |at: usize| frame[at].as_u64().and_then(|s| u32::try_from(s).ok()).unwrap_or_default();
        Ok(self.client.set_window_rect(0, 0, width + side(0), height + side(1)).await?)
    }

    /// Looks at the page itself from now on, not into the frame of a session.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn around(&self) -> Result<()> {
        if self.client.enter_parent_frame().await.is_err() {
            // The frame was taken away.
            self.client.switch_to_window(self.client.window().await?).await?;
        }
        Ok(())
    }

    /// Looks into the frame of a session from now on; false where there is none, or when it is looked into already.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn within(&self) -> Result<bool> {
        let Ok(frame) = self.client.find(Locator::Css(CONTENT)).await else { return Ok(false) };
        Ok(frame.enter_frame().await.is_ok())
    }

    /// The first element that fits and can be seen, on the page or in the frame of a session, which is looked into then;
    /// waits for it.
    ///
    /// # Errors
    /// When none is seen in time; names the selector and what the page shows instead.
    pub async fn see(&self, css: &str) -> Result<Element> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            self.around().await?;
            loop {
                for element in self.client.find_all(Locator::Css(css)).await.unwrap_or_default() {
                    if element.is_displayed().await.unwrap_or(false) {
                        return Ok(element);
                    }
                }
                if !self.within().await? {
                    break;
                }
            }
            sleep(LOOK).await;
        }
        bail!("nothing like `{css}` on the screen, which says: {}", self.text().await.unwrap_or_default())
    }

    /// Waits until no such element is seen any more.
    ///
    /// # Errors
    /// When it stays.
    pub async fn gone(&self, css: &str) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            self.around().await?;
            let here = self.client.find_all(Locator::Css(css)).await?.len();
            let within = if self.within().await? { self.client.find_all(Locator::Css(css)).await?.len() } else { 0 };
            if here + within == 0 {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        bail!("`{css}` stays on the screen")
    }

    /// Touches an element; waits for it. A page that draws itself again in that moment is looked at again.
    ///
    /// # Errors
    /// When it is not seen in time or cannot be touched.
    pub async fn touch(&self, css: &str) -> Result<()> {
        let mut said = String::new();
        for _ in 0..5 {
            match self.see(css).await?.click().await {
                Ok(()) => return Ok(()),
                Err(why) => said = why.to_string(),
            }
            sleep(LOOK).await;
        }
        bail!("`{css}` cannot be touched: {said}")
    }

    /// Types into a field, whose former text goes.
    ///
    /// # Errors
    /// When it is not seen in time.
    pub async fn write(&self, css: &str, text: &str) -> Result<()> {
        let field = self.see(css).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// All text of the page, and of the frame of a session.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn text(&self) -> Result<String> {
        const ALL: &str = "return document.body.innerText";
        self.around().await?;
        let mut text = self.client.execute(ALL, Vec::new()).await?.as_str().unwrap_or_default().to_owned();
        if self.within().await? {
            // Between two pages there is none.
            if let Ok(more) = self.client.execute(ALL, Vec::new()).await {
                text.push('\n');
                text.push_str(more.as_str().unwrap_or_default());
            }
            self.around().await?;
        }
        Ok(text)
    }

    /// Waits until the page says something at least so often.
    ///
    /// # Errors
    /// When it does not in time; names what it says instead.
    pub async fn shows(&self, words: &str, times: usize) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.text().await?;
            if text.matches(words).count() >= times {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < end, "{words:?} is not there {times} times: {text}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Goes to the page that this one opened beside it; waits for it, and gives the handle to come back by.
    ///
    /// # Errors
    /// When none is opened in time.
    pub async fn another_page(&self) -> Result<WindowHandle> {
        let (here, end) = (self.client.window().await?, Instant::now() + PATIENCE);
        loop {
            if let Some(other) = self.client.windows().await?.into_iter().find(|page| *page != here) {
                self.client.switch_to_window(other).await?;
                return Ok(here);
            }
            anyhow::ensure!(Instant::now() < end, "no other page is opened");
            sleep(LOOK).await;
        }
    }

    /// What of WCAG 2.1 A and AA this page breaks, a line for each rule.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn barriers(&self) -> Result<Vec<String>> {
        self.around().await?;
        let mut barriers = Vec::new();
        loop {
            self.client.execute(AXE, Vec::new()).await?;
            let broken: Vec<String> = serde_json::from_value(self.client.execute_async(AXE_RUN, Vec::new()).await?)?;
            barriers.extend(broken);
            if !self.within().await? {
                break;
            }
        }
        self.around().await?;
        Ok(barriers)
    }

    /// Lets so many seconds go by for the tablet's page, at once.
    ///
    /// # Errors
    /// When this is not that page.
    pub async fn seconds(&self, count: u32) -> Result<()> {
        self.around().await?;
        let failed = self.client.execute_async(SECONDS, vec![count.into()]).await?;
        anyhow::ensure!(failed.is_null(), "the page counts no seconds: {failed}");
        Ok(())
    }

    /// Takes a picture of the screen (PNG).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn photograph(&self, to: &Path) -> Result<()> {
        // Colours and sizes that move are let come to rest.
        sleep(Duration::from_millis(300)).await;
        std::fs::write(to, self.client.screenshot().await?).with_context(|| format!("writing {}", to.display()))
    }

    /// Closes it and its driver.
    ///
    /// # Errors
    /// When the driver does not answer; it is killed all the same.
    pub async fn close(self) -> Result<()> {
        let Self { client, mut driver, _profile } = self;
        let closed = client.close().await;
        driver.kill();
        Ok(closed?)
    }
}

/// A running driver. It leads a group of processes, so that the browser ends with it whatever happens.
#[derive(Debug)]
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    async fn start() -> Result<Self> {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("starting chromedriver (Debian: chromium-driver)")?;
        let output = child.stdout.take().context("the driver's output")?;
        let mut lines = BufReader::new(output).lines();
        let port = timeout(START, async {
            while let Some(line) = lines.next_line().await? {
                if let Some(port) = line.split("successfully on port ").nth(1) {
                    return Ok(port.trim_end_matches('.').parse::<u16>()?);
                }
            }
            bail!("the driver stopped without saying its port")
        });
        let port = port.await.context("the driver is too slow")??;
        // The rest of its output is read away, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, url: format!("http://127.0.0.1:{port}") })
    }

    fn kill(&mut self) {
        if let Some(leader) = self.child.id() {
            let group = format!("-{leader}");
            let _ = std::process::Command::new("kill").args(["-TERM", "--", &group]).status();
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.kill();
    }
}
