//! What files there are, in an order.

use std::fs;
use std::io;
use std::path::Path;

/// The names in a directory, sorted; none if there is no directory.
pub(super) fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names: Vec<String> =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<_>>()?;
    names.sort_unstable();
    Ok(names)
}

/// The files that databases could be, as paths below the data directory.
pub(super) fn databases(root: &Path) -> io::Result<Vec<String>> {
    let (agents, mut places) = (root.join("agents"), Vec::new());
    for namespace in names(&agents)? {
        for shard in names(&agents.join(&namespace))? {
            let files = names(&agents.join(&namespace).join(&shard))?;
            let databases = files.into_iter().filter(|name| name.ends_with(".db"));
            places.extend(databases.map(|name| format!("agents/{namespace}/{shard}/{name}")));
        }
    }
    Ok(places)
}

/// Every file below `dir`, as paths below the data directory.
pub(super) fn files(root: &Path, dir: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for name in names(&root.join(dir))? {
        let path = format!("{dir}/{name}");
        match fs::symlink_metadata(root.join(&path)) {
            Ok(meta) if meta.is_dir() => found.extend(files(root, &path)?),
            Ok(meta) if meta.is_file() => found.push(path),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}
