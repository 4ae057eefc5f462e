//! What answers just now: the living site, or the sealed one.
//!
//! Closing takes effect at once. A request that is being answered meanwhile is broken off, or its
//! answer thrown away, and a long answer that is on its way is cut: nothing that the living site read
//! leaves afterwards. The one answer that passes is that of who closed it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{ConnectInfo, Request};
use axum::http::{header, request};
use axum::response::Response;
use commands::ports::Random;
use futures::{StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::app::{App, Site};
use crate::limit::Client;
use crate::metrics::Requests;
use crate::vault::Vault;
use crate::{panic, sealed};

/// A longer answer is sent in pieces of this many bytes, each only while the site is open.
const PIECE: usize = 64 * 1024;

/// What the sealed site needs; cheap to clone.
#[derive(Debug, Clone)]
pub struct Closed {
    /// The vault, for the way back.
    pub vault: Arc<dyn Vault>,
    /// The site's facts.
    pub site: Arc<Site>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// What answers just now.
#[derive(Debug)]
pub struct Front {
    face: watch::Sender<Face>,
    sealed: Router,
    vault: Arc<dyn Vault>,
    site: Arc<Site>,
    requests: Requests,
}

/// The living site, or none.
type Face = Option<Arc<Open>>;

#[derive(Debug)]
struct Open {
    app: Option<App>,
    router: Router,
}

impl Front {
    /// Begins closed.
    pub fn new(closed: Closed) -> Self {
        Self {
            face: watch::Sender::new(None),
            vault: Arc::clone(&closed.vault),
            site: Arc::clone(&closed.site),
            sealed: sealed::router(closed),
            requests: Requests::default(),
        }
    }

    /// Lets the living site answer from now on.
    pub fn open(&self, app: App) {
        let router = crate::router(app.clone());
        self.show(Open {
            app: Some(app),
            router,
        });
    }

    fn show(&self, open: Open) {
        let before = self.face.send_replace(Some(Arc::new(open)));
        drop(before);
    }

    /// Lets the sealed site answer from now on, also what is being asked already, and forgets
    /// everything that the living one held.
    pub fn close(&self) {
        let before = self.face.send_replace(None);
        drop(before);
    }

    /// Gives what the living site's handlers share, while it is open.
    pub fn app(&self) -> Option<App> {
        self.face
            .borrow()
            .as_ref()
            .and_then(|open| open.app.clone())
    }

    /// Gives the vault.
    pub(crate) fn vault(&self) -> &Arc<dyn Vault> {
        &self.vault
    }

    /// Gives what is measured of requests.
    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Answers a request by the face that is shown when the answer leaves, and measures it.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        let kind = Requests::kind(request.method(), request.uri().path());
        let began = Instant::now();
        let answer = self.by_face(request).await;
        self.requests.note(kind, answer.status(), began);
        answer
    }

    async fn by_face(&self, mut request: Request) -> Response {
        if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
            let client = Client::of(peer.ip(), request.headers(), &self.site);
            request.extensions_mut().insert(client);
        }
        let mut face = self.face.subscribe();
        let router = face
            .borrow_and_update()
            .as_ref()
            .map(|open| open.router.clone());
        let Some(router) = router else {
            return by(self.sealed.clone(), request).await;
        };
        let instead = stand_in(&request);
        // Who closes the site is told so; that answer holds nothing else.
        let closes = request.uri().path() == panic::PRESS;
        let answered = tokio::select! {
            biased;
            _ = face.changed(), if !closes => None,
            answer = by(router, request) => Some(answer),
        };
        match answered {
            Some(answer) if closes => answer,
            Some(answer) if is_same(&face) => while_same(answer, face),
            _ => by(self.sealed.clone(), instead).await,
        }
    }
}

fn is_same(face: &watch::Receiver<Face>) -> bool {
    face.has_changed().is_ok_and(|changed| !changed)
}

async fn by(router: Router, request: Request) -> Response {
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Makes the request that asks the sealed site in the place of another: it tells how the answer is
/// read, and nothing of what was asked.
fn stand_in(request: &Request) -> Request {
    let (mut parts, ()): (request::Parts, ()) = Request::new(()).into_parts();
    for name in [header::ACCEPT, header::COOKIE] {
        if let Some(value) = request.headers().get(&name) {
            parts.headers.insert(name, value.clone());
        }
    }
    Request::from_parts(parts, Body::empty())
}

/// Sends a long answer in pieces, and breaks it off when the site is closed.
fn while_same(answer: Response, face: watch::Receiver<Face>) -> Response {
    let length = answer.body().size_hint().exact();
    if length.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length <= PIECE)) {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    if let Some(length) = length {
        let headers = &mut parts.headers;
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert(length.into());
    }
    let pieces = body.into_data_stream().flat_map(|read| {
        let pieces = match read {
            Ok(bytes) => cut(bytes).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        stream::iter(pieces)
    });
    let open = pieces.map(move |piece| match piece {
        Ok(piece) if is_same(&face) => Ok(piece),
        Ok(_) => Err(axum::Error::new(std::io::Error::other(
            "the site was closed",
        ))),
        Err(error) => Err(error),
    });
    Response::from_parts(parts, Body::from_stream(open))
}

fn cut(mut bytes: Bytes) -> Vec<Bytes> {
    let mut pieces = vec![];
    while !bytes.is_empty() {
        pieces.push(bytes.split_to(PIECE.min(bytes.len())));
    }
    pieces
}

/// Serves what answers just now until `stop` turns true, then lets open requests finish.
pub async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let answer = move |request: Request| {
        let front = Arc::clone(&front);
        async move { front.answer(request).await }
    };
    let service = Router::new().fallback(answer);
    axum::serve(
        listener,
        service.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async move {
        let _closed = stop.wait_for(|stop| *stop).await;
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::to_bytes;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use tokio::sync::Notify;

    use super::*;
    use crate::sealed::tests::closed;

    fn asked(method: &str, path: &str) -> Request {
        let request = Request::builder().method(method).uri(path);
        request.body(Body::empty()).unwrap()
    }

    fn open(router: Router) -> Open {
        Open { app: None, router }
    }

    async fn text(answer: Response) -> String {
        let bytes = to_bytes(answer.into_body(), 1 << 24).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_face_that_is_shown_answers() {
        let front = Front::new(closed());
        let answer = front.answer(asked("GET", "/")).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        front.show(open(Router::new().route("/", get(async || "a secret"))));
        let answer = front.answer(asked("GET", "/")).await;
        assert_eq!(text(answer).await, "a secret");
        front.close();
        let answer = front.answer(asked("GET", "/")).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_request_in_flight_is_answered_sealed() {
        let (begun, held) = (Arc::new(Notify::new()), Arc::new(()));
        let (told, kept) = (Arc::clone(&begun), Arc::clone(&held));
        let slow = async move || {
            told.notify_one();
            tokio::time::sleep(Duration::from_hours(1)).await;
            drop(kept);
            "a secret"
        };
        let front = Arc::new(Front::new(closed()));
        front.show(open(Router::new().route("/", get(slow))));
        let asking = Arc::clone(&front);
        let answer = tokio::spawn(async move { asking.answer(asked("GET", "/")).await });
        begun.notified().await;
        front.close();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(text(answer).await.contains("/problems/sealed"));
        assert_eq!(
            Arc::strong_count(&held),
            1,
            "nothing of the open site is kept"
        );
    }

    #[tokio::test]
    async fn who_closes_the_site_in_their_own_request_is_told_so() {
        let front = Arc::new(Front::new(closed()));
        let closing = Arc::clone(&front);
        let close = async move || {
            closing.close();
            tokio::task::yield_now().await;
            "closed"
        };
        let router = Router::new()
            .route(panic::PRESS, post(close.clone()))
            .route("/else", post(close));
        front.show(open(router.clone()));
        let answer = front.answer(asked("POST", panic::PRESS)).await;
        assert_eq!(text(answer).await, "closed");
        front.show(open(router));
        let answer = front.answer(asked("POST", "/else")).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_long_answer_is_cut_when_the_site_is_closed() {
        let large = async || vec![b'x'; 4 * PIECE];
        let router = Router::new().route("/", get(large));
        let front = Front::new(closed());
        front.show(open(router));
        let answer = front.answer(asked("GET", "/")).await;
        let length = (4 * PIECE).to_string();
        assert_eq!(answer.headers()[header::CONTENT_LENGTH], length.as_str());
        assert_eq!(text(answer).await.len(), 4 * PIECE);
        let answer = front.answer(asked("GET", "/")).await;
        let mut pieces = answer.into_body().into_data_stream();
        assert_eq!(pieces.next().await.unwrap().unwrap().len(), PIECE);
        front.close();
        assert!(pieces.next().await.unwrap().is_err());
    }
}
