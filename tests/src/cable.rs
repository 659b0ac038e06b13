//! A cable between a browser and a box, which a story pulls out and plugs in again.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A plugged cable; it vanishes with the story.
#[derive(Debug)]
pub struct Cable {
    url: String,
    plugged: watch::Sender<bool>,
    _ends: JoinSet<()>,
}

impl Cable {
    /// Lays one to the server at this address (`https://host:port`).
    ///
    /// # Errors
    /// When the address is none, or no port is free.
    pub async fn to(server: &str) -> Result<Self> {
        let there: SocketAddr = server.trim_start_matches("https://").parse().context("host and port")?;
        let listener = TcpListener::bind((there.ip(), 0)).await?;
        let url = format!("https://{}", listener.local_addr()?);
        let (plugged, line) = watch::channel(true);
        let mut ends = JoinSet::new();
        ends.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(carry(near, there, line.clone()));
            }
        });
        Ok(Self { url, plugged, _ends: ends })
    }

    /// Where its near end is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Pulls it out: what was connected breaks, and nothing connects.
    pub fn pull(&self) {
        self.plugged.send_replace(false);
    }

    /// Plugs it in again.
    pub fn plug(&self) {
        self.plugged.send_replace(true);
    }
}

/// Carries bytes both ways for as long as the cable is plugged.
async fn carry(mut near: TcpStream, there: SocketAddr, mut line: watch::Receiver<bool>) {
    if !*line.borrow() {
        return;
    }
    let Ok(mut far) = TcpStream::connect(there).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = line.wait_for(|plugged| !plugged) => {}
    }
}
