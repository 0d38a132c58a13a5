//! How much memory there is: what the system grants this process, or what the machine has.

use std::fs;
use std::path::Path;

/// The budget where neither the system nor the machine says anything.
const UNKNOWN: u64 = 1 << 30;

/// How much memory messages may take, and whose word that is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) bytes: u64,
    pub(crate) because: &'static str,
}

/// What the configuration says, or half of the memory there is.
pub(crate) fn budget(configured: Option<u64>) -> Budget {
    match configured {
        Some(bytes) => Budget { bytes, because: "memoryBudgetBytes" },
        None => half_of(granted(Path::new("/")), total(Path::new("/"))),
    }
}

fn half_of(granted: Option<u64>, total: Option<u64>) -> Budget {
    match (granted, total) {
        (Some(granted), total) if total.is_none_or(|total| granted < total) => {
            Budget { bytes: granted / 2, because: "half of what the control group may take" }
        }
        (_, Some(total)) => Budget { bytes: total / 2, because: "half of the memory of the machine" },
        _ => Budget { bytes: UNKNOWN, because: "1 GiB, because the system does not say how much memory there is" },
    }
}

/// The least that this process's control group, or one that it is in, may take.
fn granted(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let top = root.join("sys/fs/cgroup");
    let folder = top.join(group);
    let folders = folder.ancestors().take_while(|folder| folder.starts_with(&top));
    let limit = |folder: &Path| fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok();
    folders.filter_map(limit).min()
}

fn total(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let kib: u64 =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Root(std::path::PathBuf);

    impl Root {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = Self(std::env::temp_dir().join(format!("streamfence-memory-{}-{name}", std::process::id())));
            for (path, text) in files {
                let path = root.0.join(path);
                fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder is ours");
                fs::write(path, text).expect("the folder is ours");
            }
            root
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_least_that_any_group_on_the_way_may_take_counts() {
        type Case = (&'static [(&'static str, &'static str)], Option<u64>);
        let limits: [Case; 5] = [
            (
                &[
                    ("proc/self/cgroup", "0::/a/b\n"),
                    ("sys/fs/cgroup/a/memory.max", "5000\n"),
                    ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ],
                Some(5000),
            ),
            (
                &[
                    ("proc/self/cgroup", "0::/a/b\n"),
                    ("sys/fs/cgroup/a/memory.max", "5000\n"),
                    ("sys/fs/cgroup/a/b/memory.max", "4000\n"),
                ],
                Some(4000),
            ),
            (
                &[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "3000\n"), ("sys/fs/memory.max", "1\n")],
                Some(3000),
            ),
            (&[("proc/self/cgroup", "4:memory:/old\n"), ("sys/fs/cgroup/memory.max", "3000\n")], None),
            (&[("proc/self/cgroup", "0::/gone\n")], None),
        ];
        for (case, (files, expected)) in limits.into_iter().enumerate() {
            let root = Root::new(&format!("granted-{case}"), files);
            assert_eq!(granted(&root.0), expected, "{files:?}");
        }
    }

    #[test]
    fn what_the_machine_has_is_read_and_halved() {
        let root = Root::new("total", &[("proc/meminfo", "MemTotal:       24680000 kB\nMemFree: 1 kB\n")]);
        assert_eq!(total(&root.0), Some(24_680_000 * 1024));
        assert_eq!(total(&root.0.join("nowhere")), None);
        assert_eq!(half_of(None, Some(1000)).bytes, 500);
        assert_eq!(half_of(Some(100), Some(1000)).bytes, 50);
        assert_eq!(half_of(Some(2000), Some(1000)).bytes, 500, "a grant of more than there is grants nothing");
        assert_eq!(half_of(Some(100), None).bytes, 50);
        assert_eq!(half_of(None, None).bytes, 1 << 30);
        assert_eq!(budget(Some(7)), Budget { bytes: 7, because: "memoryBudgetBytes" });
    }
}
