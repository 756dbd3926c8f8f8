//! From a real port to an agent: names, headers, refusals, and what strangers may try. The client is an independent
//! WebSocket library, and plain bytes over TCP for HTTP.

#[cfg(test)]
mod it {
    mod agents;
    mod answers;
    mod calling;
    mod connections;
    mod frames;
    mod headers;
    mod hostile;
    mod identity;
    mod logs;
    mod mcp;
    mod mcp_client;
    mod mcp_events;
    mod mcp_offers;
    mod mcp_sign_in;
    mod names;
    mod one_decision;
    mod sites;
    mod slow;
    mod starting;
    mod support;
    mod together;
    mod tokens;
}
