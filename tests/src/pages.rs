//! What the origin shows: small pages that a test can recognise.

use std::fmt::Write as _;

/// How many assets `/page60` names.
pub const ASSETS: usize = 60;

/// A page whose `#origin` element says which site and which target it is, with a link to the next one.
pub fn page(site: &str, target: &str, body: &str) -> String {
    let target = target.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>{site}</title><link rel=icon href=\"data:,\"></head>\
         <body><main id=origin data-site=\"{site}\" data-target=\"{target}\">{body}</main></body></html>"
    )
}

/// A page of links: `#next` leads to the following number.
pub fn linked(site: &str, target: &str) -> String {
    let number = target.strip_prefix("/page/").and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
    let next = number + 1;
    page(site, target, &format!("<p>The content of {site}.</p><a id=next href=\"/page/{next}\">next</a>"))
}

/// A page of [`ASSETS`] pictures.
pub fn with_assets(site: &str) -> String {
    let pictures = (0..ASSETS).fold(String::new(), |mut text, number| {
        write!(text, "<img src=\"/static/{number}.svg\" alt=\"\">").expect("a string takes everything");
        text
    });
    page(site, "/page60", &pictures)
}

/// A form whose text goes to `/submit`.
pub fn form(site: &str) -> String {
    page(
        site,
        "/form",
        "<form method=post action=\"/submit\"><textarea name=text id=text></textarea><button id=send>Send</button></form>",
    )
}

/// The policy of `/app`: nothing but what the operator's documentation asks for.
pub const APP_POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; img-src data:; \
     require-trusted-types-for 'script'; trusted-types portcullis";

/// A page with the script tag, which a test makes ask for things; at `/app?quiet` it shows no note.
pub fn app(site: &str, target: &str) -> String {
    let attributes = if target.ends_with("?quiet") { " data-note=off" } else { "" };
    page(site, target, &format!("<script src=\"/.portcullis/portcullis.js\" defer{attributes}></script>"))
}

/// A page that shows the address after `?` in a frame.
pub fn framing(site: &str, target: &str) -> String {
    let address = target.split_once('?').map_or("about:blank", |(_, address)| address);
    page(site, "/frame", &format!("<iframe src=\"{address}\" width=600 height=400></iframe>"))
}

/// One picture.
pub const PICTURE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"8\" height=\"8\"><rect width=\"8\" height=\"8\" fill=\"#3a6\"/></svg>";

/// A feed of one entry.
pub const FEED: &str = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>News</title><item><title>One</title></item></channel></rss>";
