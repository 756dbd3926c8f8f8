//! The body of an answer over HTTP/2, as activity of its connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};

use super::serve_http::{Activity, Running};

/// How much is handed out at once, in bytes. The library asks for the next piece when the client has taken this one.
const PIECE: usize = 32 << 10;

/// Counts as a request under way whenever the client waits for more of it, however long that takes. While the client takes nothing of
/// what there is it counts as nothing, so that nobody keeps a connection by not reading.
pub(super) struct Sent {
    body: Body,
    /// What of a frame is not handed out yet.
    rest: Bytes,
    activity: Arc<Activity>,
    waited_for: Option<Running>,
}

impl Sent {
    /// The answer, whose body counts.
    pub(super) fn over(answer: Response<Body>, activity: &Arc<Activity>) -> Response<Body> {
        if answer.body().is_end_stream() {
            return answer;
        }
        let activity = Arc::clone(activity);
        answer.map(|body| Body::new(Self { body, rest: Bytes::new(), activity, waited_for: None }))
    }

    fn piece(&mut self) -> Frame<Bytes> {
        Frame::data(self.rest.split_to(self.rest.len().min(PIECE)))
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        this.waited_for.get_or_insert_with(|| Running::begin(&this.activity));
        while this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) if frame.is_data() => this.rest = frame.into_data().unwrap_or_default(),
                other => {
                    this.waited_for = None;
                    return Poll::Ready(other);
                }
            }
        }
        this.waited_for = None;
        Poll::Ready(Some(Ok(this.piece())))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut size = SizeHint::new();
        size.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            size.set_upper(upper + rest);
        }
        size
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
    use tokio::time::{sleep, timeout};

    use super::super::conn::idle;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn sent(activity: &Arc<Activity>) -> (UnboundedSender<Bytes>, Body) {
        let (source, mut comes) = unbounded_channel::<Bytes>();
        let frames =
            futures_util::stream::poll_fn(move |cx| comes.poll_recv(cx).map(|next| next.map(Ok::<_, Infallible>)));
        (source, Sent::over(Response::new(Body::from_stream(frames)), activity).into_body())
    }

    async fn is_idle(activity: &Activity) -> bool {
        timeout(PATIENCE * 10, idle(PATIENCE, activity)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_of_use_while_its_client_waits_for_more_of_an_answer() {
        let activity = Arc::default();
        let (source, mut body) = sent(&activity);
        assert!(body.frame().now_or_never().is_none());
        assert!(!is_idle(&activity).await, "it waits for the first piece");
        source.send("a".into()).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        assert!(body.frame().now_or_never().is_none());
        assert!(!is_idle(&activity).await, "it waits for the next one");
        drop(body);
        assert!(is_idle(&activity).await, "it waits no more");
    }

    #[tokio::test(start_paused = true)]
    async fn threat_18_a_client_that_takes_nothing_of_an_answer_keeps_no_connection_and_one_that_takes_little_does() {
        let activity = Arc::default();
        let (source, mut body) = sent(&activity);
        let takes = async {
            for _ in 0..20 {
                source.send("a".into()).unwrap();
                body.frame().await.unwrap().unwrap();
                sleep(PATIENCE * 9 / 10).await;
            }
        };
        tokio::select! {
            () = idle(PATIENCE, &activity) => panic!("it is of use"),
            () = takes => {}
        }
        source.send("b".into()).unwrap();
        assert!(is_idle(&activity).await, "what there is, is not taken");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_one_piece_is_of_use_for_as_long_as_the_client_takes_of_it() {
        let activity: Arc<Activity> = Arc::default();
        let whole = Bytes::from(vec![7; 20 * PIECE + 1]);
        let mut body = Sent::over(Response::new(Body::from(whole.clone())), &activity).into_body();
        let mut taken = Vec::new();
        let takes = async {
            while let Some(piece) = body.frame().await {
                taken.extend(piece.unwrap().into_data().unwrap());
                assert_eq!(body.size_hint().exact(), Some((whole.len() - taken.len()) as u64));
                sleep(PATIENCE * 9 / 10).await;
            }
        };
        tokio::select! {
            () = idle(PATIENCE, &activity) => panic!("it is of use"),
            () = takes => {}
        }
        assert_eq!(taken, whole);
    }

    #[test]
    fn an_answer_says_how_large_it_is_as_before() {
        let activity = Arc::default();
        let sized = Sent::over(Response::new(Body::from("four")), &activity);
        assert_eq!((sized.body().size_hint().exact(), sized.body().is_end_stream()), (Some(4), false));
        assert!(Sent::over(Response::new(Body::empty()), &activity).body().is_end_stream());
    }
}
