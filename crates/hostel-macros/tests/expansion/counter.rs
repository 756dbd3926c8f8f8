/// A counter that several people share.
impl Counter {
    /// Adds `by` and returns the new count.
    #[callable]
    fn increment(&mut self, by: i64) -> i64 {
        self.count += by;
        self.count
    }

    #[callable(streaming)]
    async fn count_to(cx: &Cx<Self>, stream: Stream<i64>, to: Bound) -> Result<()> {
        stream.send(&to.0)
    }

    fn on_connect(&self, connection: &Connection) -> Result<()> {
        connection.send_json(&self.count)
    }

    /// Starts again.
    #[task(cron = "0 0 * * *", zone = "Europe/Berlin")]
    fn reset(&mut self) {
        self.count = 0;
    }

    /// Adds `by` later.
    #[task]
    fn add(&mut self, by: i64) {
        self.count += by;
    }

    fn helper(&self) {}
}
