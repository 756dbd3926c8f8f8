//! Near misses, for "did you mean".

use super::loose_key;

/// Names longer than this are not typing errors of anything; comparing them
/// would only cost time.
const MAX_CHARS: usize = 128;

/// The known name closest to `wanted`, if it is close enough to be a slip:
/// at most a third of the letters (but two in any case) differ, and not all
/// of them. Case, `-` and `_` count as nothing.
///
/// ```
/// use hostel_protocol::name::nearest;
/// assert_eq!(nearest("incremnt", ["increment", "reset"]), Some("increment"));
/// assert_eq!(nearest("shutdown", ["increment", "reset"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wanted.len() > 4 * MAX_CHARS {
        return None;
    }
    let wanted: Vec<char> = loose_key(wanted).chars().collect();
    if wanted.is_empty() || wanted.len() > MAX_CHARS {
        return None;
    }
    let allowed = (wanted.len() / 3).max(2).min(wanted.len() - 1);
    known
        .into_iter()
        .filter_map(|name| Some((distance_within(&wanted, name, allowed)?, name)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Edit distance between `wanted` and the loose form of `name`, if at most
/// `allowed`.
fn distance_within(wanted: &[char], name: &str, allowed: usize) -> Option<usize> {
    if name.len() > 4 * MAX_CHARS {
        return None;
    }
    // Counted first: most names differ too much in length to look closer, and
    // this runs for every application message with a `type` of its own.
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_')).count();
    if letters == 0 || letters.abs_diff(wanted.len()) > allowed {
        return None;
    }
    let name: Vec<char> = loose_key(name).chars().collect();
    let distance = edit_distance(wanted, &name);
    (distance <= allowed).then_some(distance)
}

/// Insertions, deletions, replacements and swaps of neighbours.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
