//! The operator's side door: health and metrics over HTTP, on an address of its own.

mod metrics;

use crate::session::Shared;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Answers `/metrics` in Prometheus' text format and `/healthz`, until rowgate is told to stop.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    let of_metrics = Arc::clone(&shared);
    let routes = Router::new()
        .route(
            "/metrics",
            get(move || async move {
                let kind = "text/plain; version=0.0.4; charset=utf-8";
                ([(header::CONTENT_TYPE, kind)], metrics::text(&of_metrics)).into_response()
            }),
        )
        .route("/healthz", get(move || async move { health(&shared) }));
    let served = axum::serve(listener, routes).with_graceful_shutdown(async move {
        // told to stop, or nobody is left to tell
        let _ = stop.wait_for(|stop| *stop).await;
    });
    if let Err(error) = served.await {
        tracing::error!(%error, "metrics are not served any more");
    }
}

/// 503 while statements are refused because the audit cannot be written, or rowgate is stopping.
fn health(shared: &Shared) -> (StatusCode, &'static str) {
    if *shared.stop.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if !shared.audit.admits() {
        (StatusCode::SERVICE_UNAVAILABLE, "the audit cannot be written\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}
