//! The demo's site: a few pages with links, a style sheet and a form, and an app, as an origin that knows nothing of a gate.

use super::app;
use super::workers::{Task, Workers};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

const STYLE: &str = include_str!("site.css");
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What leads from each page to every other.
pub(super) const NAVIGATION: &str = "<nav><a href=\"/\">Home</a> <a href=\"/news\">News</a> \
     <a href=\"/contact\">Contact</a> <a href=\"/app\">App</a></nav>";

/// Serves the site until the process ends, as quick as `workers` are, or at once where there are none to wait for.
pub(super) async fn serve(listener: TcpListener, workers: Option<Arc<Workers>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let workers = workers.clone();
        tokio::spawn(async move {
            let answer = |request: Request<Incoming>| {
                let workers = workers.clone();
                async move {
                    if let Some(workers) = workers {
                        let is_part = request.uri().path().starts_with("/static/");
                        workers.work(if is_part { Task::Part } else { Task::Page }).await;
                    }
                    answer(request).await
                }
            };
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(Duration::from_mins(1));
            // A visitor who goes away in the middle is no error here.
            let _ = server.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    Ok(match (&parts.method, parts.uri.path()) {
        (&Method::GET | &Method::HEAD, "/") => page(
            "Welcome",
            "<p>You are reading the site itself. Your browser has done a short calculation, and for a while you can \
             go wherever you like without another one.</p>",
        ),
        (&Method::GET | &Method::HEAD, "/news") => page("News", "<p>Nothing new. That is good news under attack.</p>"),
        (&Method::GET | &Method::HEAD, "/contact") => page(
            "Contact",
            "<form method=\"post\" action=\"/contact\"><label>Your message<br><textarea name=\"message\" rows=\"5\">\
             </textarea></label><p><button>Send</button></p></form>",
        ),
        (&Method::POST, "/contact") => {
            let received = Limited::new(body, FORM_BYTES_MAX).collect().await.map_or(0, |body| body.to_bytes().len());
            page("Thank you", &format!("<p>Your message has arrived: {received} bytes.</p>"))
        }
        (&Method::GET | &Method::HEAD, "/static/site.css") => typed("text/css; charset=utf-8", STYLE),
        (&Method::GET | &Method::HEAD, "/robots.txt") => typed("text/plain", "User-agent: *\nAllow: /\n"),
        (method, path) => app::answer(method, path, body).await.unwrap_or_else(|| {
            let mut response = page("Not found", "<p>There is no such page.</p>");
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }),
    })
}

fn page(title: &str, content: &str) -> Response<Full<Bytes>> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/static/site.css\">\
         {NAVIGATION}<main><h1>{title}</h1>{content}</main></html>"
    );
    typed("text/html; charset=utf-8", html)
}

pub(super) fn typed(content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
