//! A strand of a run, whose steps are counted apart from the others'.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::track::Marked;
use crate::{Cx, error::Result};

/// A strand of a run; await it.
#[must_use = "nothing happens before it is awaited"]
pub struct Branch<F>(Strand<F>);

enum Strand<F> {
    Inside(Marked<F>),
    /// There is no run; the steps say so.
    Outside(Pin<Box<F>>),
}

impl<A> Cx<A> {
    /// Several steps after one another that run beside others: within a branch, steps are counted on their own, so that it
    /// does not matter which branch is faster. Each needs another name.
    ///
    /// ```
    /// # use hostel_core::{Cx, Result};
    /// # async fn ask(_: &str) -> Result<u32> { Ok(1) }
    /// # async fn demo<A>(cx: &Cx<A>) -> Result<()> {
    /// let both = |from: &'static str| cx.branch(from, async move {
    ///     let offer = cx.step("offer", || ask(from)).repeatable().await?;
    ///     cx.step("book", || ask(from)).await.map(|booked| offer + booked)
    /// });
    /// let (here, there) = futures_util::future::try_join(both("here"), both("there")).await?;
    /// # let _ = here + there; Ok(()) }
    /// ```
    pub fn branch<T, F: Future<Output = Result<T>>>(&self, name: &str, work: F) -> Branch<F> {
        Branch(match self.host().run() {
            Ok(run) => Strand::Inside(Marked::lane(&run, name, work)),
            Err(_) => Strand::Outside(Box::pin(work)),
        })
    }
}

impl<F: Future> Future for Branch<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match &mut self.0 {
            Strand::Inside(marked) => Pin::new(marked).poll(cx),
            Strand::Outside(work) => work.as_mut().poll(cx),
        }
    }
}

impl<F> fmt::Debug for Branch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Branch")
    }
}
