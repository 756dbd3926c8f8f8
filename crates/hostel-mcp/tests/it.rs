//! MCP in both directions.

#[cfg(test)]
mod it {}
