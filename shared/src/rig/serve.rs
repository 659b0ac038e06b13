//! HTTPS and HTTP listeners with limits: connections, handshake and header time. Body limits belong to the routes.

use std::{io, net::SocketAddr, net::TcpListener, sync::Arc, time::Duration};

use axum::Router;
use axum_server::{
    Handle,
    accept::{Accept, DefaultAcceptor, NoDelayAcceptor},
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ServerConfig;

use super::task::Tasks;

/// Connections at once on one listener: the 2,800 tablets of a territory, should one box serve them all, and room for those
/// that are left behind after a power cut.
pub const MAX_CONNECTIONS: usize = 4_096;
/// A TLS handshake that takes longer is dropped.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Request headers that take longer are dropped.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests under way may end after a stop.
pub const DRAIN: Duration = Duration::from_secs(2);

/// Lets this process and its children hold as many files as the system allows at most, and tells how many: a connection is
/// a file, and what is allowed at first is often less than [`MAX_CONNECTIONS`].
///
/// # Errors
/// When the system refuses.
pub fn more_open_files() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Binds a listener, with an error that says what to do.
///
/// # Errors
/// A sentence that names the address: somebody else listens there, or it is not ours.
pub fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).map_err(|e| {
        if e.kind() == io::ErrorKind::AddrInUse {
            format!("{what}: {address} is in use by another program: stop it, or choose another address")
        } else {
            format!("{what}: cannot listen on {address}: {e}")
        }
    })?;
    listener.set_nonblocking(true).map_err(|e| format!("{what}: {e}"))?;
    Ok(listener)
}

/// Serves `router` over TLS until the program stops. Handlers find the peer in `ConnectInfo<SocketAddr>`.
pub fn https(name: &'static str, listener: TcpListener, tls: Arc<ServerConfig>, router: Router, tasks: &Tasks) {
    let handle = Handle::new();
    let few = Few { handle: handle.clone(), then: NoDelayAcceptor::new() };
    let tls = RustlsAcceptor::new(RustlsConfig::from_config(tls)).handshake_timeout(HANDSHAKE_TIMEOUT).acceptor(few);
    let stop_handle = handle.clone();
    end_at_stop(name, stop_handle, tasks);
    tasks.spawn(name, async move {
        let served = match axum_server::from_tcp(listener) {
            Ok(server) => {
                let mut server = server.acceptor(tls).handle(handle);
                server.http_builder().http1().header_read_timeout(Some(HEADER_TIMEOUT));
                server.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await
            }
            Err(error) => Err(error),
        };
        say_end(name, served);
    });
}

/// Serves `router` in clear: for the admin plane on loopback.
pub fn http(name: &'static str, listener: TcpListener, router: Router, tasks: &Tasks) {
    let handle = Handle::new();
    let few = Few { handle: handle.clone(), then: DefaultAcceptor::new() };
    end_at_stop(name, handle.clone(), tasks);
    tasks.spawn(name, async move {
        let served = match axum_server::from_tcp(listener) {
            Ok(server) => {
                let mut server = server.acceptor(few).handle(handle);
                server.http_builder().http1().header_read_timeout(Some(HEADER_TIMEOUT));
                server.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await
            }
            Err(error) => Err(error),
        };
        say_end(name, served);
    });
}

fn end_at_stop(name: &'static str, handle: Handle<SocketAddr>, tasks: &Tasks) {
    let mut stop = tasks.stopping();
    tasks.spawn(name, async move {
        stop.wait().await;
        handle.graceful_shutdown(Some(DRAIN));
    });
}

fn say_end(name: &'static str, served: io::Result<()>) {
    if let Err(error) = served {
        tracing::error!(name, %error, "a listener ended");
    }
}

/// Lets a connection in while there are few enough; the next one is closed at once.
#[derive(Clone)]
struct Few<A> {
    handle: Handle<SocketAddr>,
    then: A,
}

impl<A: Accept<I, S>, I, S> Accept<I, S> for Few<A> {
    type Stream = A::Stream;
    type Service = A::Service;
    type Future = futures_util::future::Either<A::Future, std::future::Ready<io::Result<(A::Stream, A::Service)>>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        use futures_util::future::Either;
        if self.handle.connection_count() > MAX_CONNECTIONS {
            Either::Right(std::future::ready(Err(io::Error::other("too many connections"))))
        } else {
            Either::Left(self.then.accept(stream, service))
        }
    }
}
