//! The page of a server that was built without the full one: what it is, and how to get the rest.

use crate::Settings;

/// Says why the full page is not there.
pub(crate) fn page(why: &str, settings: &Settings) -> String {
    let (why, prefix) = (escaped(why), escaped(&settings.prefix));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Hostel</title></head>\n<body>\n<h1>Hostel {version} is running</h1>\n\
         <p>Its page is not in this binary: {why}.</p>\n\
         <p>To get it, build the server on a machine with Node.js 20 and npm: <code>cargo run --release</code> makes the page, too.</p>\n\
         <p>Until then, talk to the agent from a terminal: <code>hostel chat coder/default</code>. \
         Clients connect to <code>/{prefix}/coder-agent/default</code> as ever.</p>\n</body>\n</html>\n",
        version = escaped(&settings.version),
    )
}

/// A text for HTML, inside and outside of attributes.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
