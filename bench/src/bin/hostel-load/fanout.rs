//! One client sets the state, all others receive it.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{sync::Notify, task::JoinSet};

use crate::{
    calls::WARM_UP,
    connection::Connection,
    flags::{Fanout, Flags},
    frame,
    process::Process,
    report::Report,
};

#[derive(Default)]
struct Received {
    deliveries: Cell<u64>,
    more: Notify,
}

/// Sets the state as fast as all receive it.
pub(crate) async fn run(flags: &Flags, fanout: &Fanout) -> anyhow::Result<Report> {
    let setter = Connection::ready(flags, "fan").await?;
    let received = Rc::new(Received::default());
    let mut clients = JoinSet::new();
    for _ in 1..fanout.sockets {
        let mut connection = Connection::ready(flags, "fan").await?;
        if !flags.floor {
            // What a newcomer is told of the state is no delivery.
            connection.until(|text| text.contains("cf_agent_state")).await?;
        }
        clients.spawn_local(receive(connection, Rc::clone(&received)));
    }
    let listeners = fanout.sockets as u64 - 1;
    clients.spawn_local(set(setter, listeners, fanout.window, Rc::clone(&received)));
    let report = Report::new(&flags.label, format!("fan-out to {}", fanout.sockets));
    tokio::select! {
        report = measure(flags, &received, fanout.seconds, report) => report,
        Some(failed) = clients.join_next() => {
            failed??;
            anyhow::bail!("a client stopped");
        }
    }
}

async fn receive(mut connection: Connection, received: Rc<Received>) -> anyhow::Result<()> {
    loop {
        connection.read().await?;
        let mut states = 0;
        while let Some(text) = connection.next_text()? {
            states += u64::from(text.contains("cf_agent_state"));
        }
        received.deliveries.set(received.deliveries.get() + states);
        received.more.notify_one();
    }
}

/// Keeps `window` states under way.
async fn set(mut connection: Connection, listeners: u64, window: u64, received: Rc<Received>) -> anyhow::Result<()> {
    for count in 1.. {
        let state = format!(r#"{{"type":"cf_agent_state","state":{{"count":{count}}}}}"#);
        connection.send(&frame::text(&state)).await?;
        // The next state may go when all but `window - 1` of those before it have reached everybody.
        while received.deliveries.get() + window * listeners < (count + 1) * listeners {
            received.more.notified().await;
        }
    }
    Ok(())
}

async fn measure(flags: &Flags, received: &Received, seconds: f64, report: Report) -> anyhow::Result<Report> {
    tokio::time::sleep(WARM_UP).await;
    let process = flags.pid.map(Process::new);
    let cpu = || process.map(Process::cpu).transpose();
    let (before, begun, cpu_before) = (received.deliveries.get(), Instant::now(), cpu()?);
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let used = cpu()?.zip(cpu_before).map(|(after, before)| (after - before).as_secs_f64());
    let deliveries = (received.deliveries.get() - before) as f64;
    let report = report.with("deliveries/s", deliveries / begun.elapsed().as_secs_f64());
    Ok(match used.filter(|used| *used > 0.0) {
        Some(used) => report.with("deliveries per second of CPU", deliveries / used),
        None => report,
    })
}
