//! Names on the wire, and which name was probably meant.

/// `set_project_context` → `setProjectContext`, as `hostel_protocol::name::camel` does it.
pub(crate) fn camel(snake: &str) -> String {
    let body = snake.trim_start_matches('_');
    let mut out = snake[..snake.len() - body.len()].to_owned();
    let mut raise = false;
    for c in body.chars() {
        match c {
            '_' => raise = true,
            _ if raise => {
                out.extend(c.to_uppercase());
                raise = false;
            }
            _ => out.push(c),
        }
    }
    out
}

/// `onConnect` → `on_connect`.
pub(crate) fn snake(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_uppercase() && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The candidate that needs the fewest edits to become `name`, and how many that are.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<(&'a str, usize)> {
    candidates.map(|candidate| (candidate, distance(name, candidate))).min_by_key(|&(_, edits)| edits)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_names_are_camel_case() {
        for (rust, wire) in
            [("ping", "ping"), ("set_project_context", "setProjectContext"), ("_secret_key", "_secretKey"), ("a_", "a")]
        {
            assert_eq!(camel(rust), wire);
        }
    }

    #[test]
    fn javascript_spellings_become_snake_case() {
        assert_eq!(snake("onStateChanged"), "on_state_changed");
        assert_eq!(snake("on_connect"), "on_connect");
    }

    #[test]
    fn nearest_counts_edits() {
        let hooks = ["on_start", "on_connect", "on_close"];
        assert_eq!(nearest("on_conect", hooks.into_iter()), Some(("on_connect", 1)));
        assert_eq!(nearest("on_close", hooks.into_iter()), Some(("on_close", 0)));
    }
}
