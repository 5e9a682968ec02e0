//! Single requests over HTTP/2 in cleartext, with prior knowledge.

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::header::HeaderMap;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// Method, target, header fields.
pub type Ask<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// Sends several requests at once on one connection to 127.0.0.1:`port`; gives status, headers and body of each.
pub fn exchange(port: u16, host: &str, requests: &[Ask<'_>]) -> Vec<(u16, HeaderMap, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = TokioIo::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        let answers = requests.iter().map(|(method, target, headers)| {
            let mut request = Request::builder()
                .method(*method)
                .version(Version::HTTP_2)
                .uri(format!("http://{host}:{port}{target}"));
            for (name, value) in *headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let response = sender.send_request(request).await.unwrap();
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                let body = response.into_body().collect().await.unwrap().to_bytes();
                (status, headers, String::from_utf8_lossy(&body).into_owned())
            })
        });
        let answers = answers.collect::<Vec<_>>();
        let mut done = Vec::new();
        for answer in answers {
            done.push(answer.await.unwrap());
        }
        done
    })
}
