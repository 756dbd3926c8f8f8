//! Puts every part together: the built-in agents, the operator's endpoints, and the listener.

use std::{net::SocketAddr, path::Path};

use anyhow::Context as _;
use hostel::{Admission, AgentRouter, App, Cors, Edge, Home, Limits, Options, StorageOptions, Tls, axum::Router};
use hostel_model::Models;
use hostel_vault::Vault;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    admin, auth, banner::Banner, builtin, config::Config, configured, disk::Disk, health, hooks, mcp, models, openai,
    page, retention,
};

/// A server that listens, and is about to serve.
#[derive(Debug)]
pub struct Server {
    home: Home,
    listener: TcpListener,
    banner: Banner,
    vault: Option<Vault>,
}

impl Server {
    /// Opens the data directory, starts the node, and listens.
    ///
    /// # Errors
    /// An unsafe configuration, a data directory or address that cannot be used, or unreadable certificates.
    pub async fn start(config: &Config, vault: Option<Vault>) -> anyhow::Result<Self> {
        config.check()?;
        let descriptors = hostel_store::raise_descriptors();
        if descriptors < *config.max_connections {
            tracing::warn!(
                descriptors,
                max_connections = *config.max_connections,
                "the system allows fewer files than connections are; raise its limit (ulimit -n, LimitNOFILE)"
            );
        }
        let metrics = install_metrics()?;
        // Listening comes first: a taken port is the commonest mistake, and should cost nothing else.
        let listener = TcpListener::bind(*config.listen).await;
        let listener = listener.with_context(|| cannot_listen(*config.listen))?;
        let address = listener.local_addr().context("the socket has no address")?;
        let models = models::of(config, vault.as_ref())?;
        let mut app = app(config, metrics, models.clone())?;
        app = auth::guard(app, config, vault.as_ref())?;
        app = builtin::workspaces(config).shared_with(app.env(models.clone()));
        if let Some(vault) = &vault {
            app = app.vault(vault.clone());
        }
        let app = configured::serve(config, vault.as_ref(), &models, app)?;
        let app = mcp::of(config, hooks::of(config, app)?)?;
        let home = app.start().await?;
        configured::order_schedules(config, &home).await;
        let banner = Banner::new(address, config.is_tls(), &config.prefix, &config.data);
        Ok(Self { home, listener, banner, vault })
    }

    /// What to show the person who started it.
    pub fn banner(&self) -> &Banner {
        &self.banner
    }

    /// Serves until `stop` is cancelled, then drains.
    ///
    /// # Errors
    /// When the address may not be served.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        if let Some(vault) = self.vault {
            tokio::spawn(crate::vault::keep_fresh(vault, stop.clone()));
        }
        Ok(self.home.serve(self.listener, stop).await?)
    }
}

fn cannot_listen(address: SocketAddr) -> String {
    format!("cannot listen on {address}; if another server has the port, stop it or choose one with --listen")
}

fn app(config: &Config, metrics: PrometheusHandle, models: Models) -> anyhow::Result<App> {
    let prefix = config.prefix.value.clone();
    let of_routes = prefix.clone();
    let other_pages = !config.allow_origins.is_empty();
    let data = config.data.value.clone();
    let disk = Disk::new(config.data.value.clone());
    let mut app = builtin::serve(App::new())
        .data(config.data.value.clone())
        .options(options(config))
        .storage(StorageOptions { history: retention::of(config), ..StorageOptions::default() })
        .limits(limits(config))
        .compression(*config.compression)
        .admission(admission(config))
        .routing(move |router| agents(router, &prefix, other_pages))
        .routes(move |edge| {
            let agents = agents(edge.route_agent_request(), &of_routes, other_pages);
            let page = page::routes(&of_routes, models, agents);
            routes(edge, &data, &of_routes, metrics, disk).merge(admin::same_sited(edge, page))
        });
    if *config.insecure_no_auth {
        app = app.insecure_without_auth();
    }
    if let (Some(cert), Some(key)) = (&*config.tls_cert, &*config.tls_key) {
        app = app.tls(Tls::from_pem_files(cert, key)?);
    }
    Ok(app)
}

fn agents(router: AgentRouter, prefix: &str, other_pages: bool) -> AgentRouter {
    let router = router.prefix(prefix);
    if other_pages { router.cors(Cors::admitted()) } else { router }
}

fn routes(edge: &Edge, data: &Path, prefix: &str, metrics: PrometheusHandle, disk: Disk) -> Router {
    let open = admin::same_sited(edge, health::routes(disk));
    let open = open.merge(openai::routes(edge, prefix));
    admin::operator(edge, data).merge(admin::guarded(edge, health::metrics(metrics))).merge(open)
}

fn options(config: &Config) -> Options {
    Options {
        idle_after: *config.hibernate_after,
        turn_deadline: *config.turn_deadline,
        state_warn_bytes: config.state_warn_bytes.as_usize(),
        state_bytes: config.state_bytes.as_usize(),
        orders: *config.task_queue,
        dead_letters: *config.dead_letters,
        run_retention: *config.run_retention,
        steps_per_run: u32::try_from(*config.run_steps).unwrap_or(u32::MAX),
        call_hops: u32::try_from(*config.call_hops).unwrap_or(u32::MAX),
        development: config.is_development(),
        ..Options::default()
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        connections: *config.max_connections,
        connections_per_ip: *config.max_connections_per_ip,
        handshake_deadline: *config.handshake_deadline,
        header_deadline: *config.header_deadline,
        keep_alive: *config.keep_alive,
        header_bytes: config.max_header_bytes.as_usize(),
        body_bytes: config.max_body_bytes.0,
        message_bytes: config.max_message_bytes.as_usize(),
        outbox_bytes: config.outbox_bytes.as_usize(),
        ping_interval: *config.ping_interval,
        drain_deadline: *config.drain_deadline,
        ..Limits::default()
    }
}

fn admission(config: &Config) -> Admission {
    let origins = config.allow_origins.iter();
    let admission = origins.fold(Admission::default(), |admission, origin| admission.allow_origin(origin));
    config.allow_hosts.iter().fold(admission, |admission, host| admission.allow_host(host))
}

fn install_metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok().context("another recorder of metrics is installed")?;
    Ok(handle)
}
