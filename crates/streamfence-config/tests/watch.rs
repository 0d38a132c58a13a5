//! Files that change in every way files change, and what is told of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use streamfence_config::{News, Settings, Watch, load};

/// Longer than anything may take, however busy the machine.
const IN_TIME: Duration = Duration::from_secs(30);

const CONFIG: News = News::Changed { config: true, others: false };
const OTHERS: News = News::Changed { config: false, others: true };

/// A directory with a configuration, gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("streamfence-watch-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        Self(directory)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        if let Some(parent) = self.at(name).parent() {
            fs::create_dir_all(parent).expect("the directory is writable");
        }
        fs::write(self.at(name), text).expect("the directory is writable");
    }

    /// Writes a file beside and puts it in the place of another, as editors do it.
    fn replace(&self, name: &str, text: &str) {
        self.write("staged", text);
        fs::rename(self.at("staged"), self.at(name)).expect("the directory is writable");
    }

    /// Has a link lead elsewhere, at once.
    fn point(&self, link: &str, to: &str) {
        symlink(to, self.at("staged-link")).expect("the directory is writable");
        fs::rename(self.at("staged-link"), self.at(link)).expect("the directory is writable");
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn config(port: u16) -> String {
    format!("servers: {{feed: {{port: {port}, namespaces: [{{path: /feed, topics: [tick]}}]}}}}")
}

/// Watches what a configuration was read from, and one more file.
fn watch(file: &Path, other: &Path) -> (Settings, Watch, Receiver<News>) {
    let settings = load(file).expect("it is valid");
    let (told, news) = channel();
    let others = vec![other.to_owned()];
    let watch = Watch::start(&settings.sources, others, move |news| drop(told.send(news))).expect("there is a thread");
    (settings, watch, news)
}

fn next(news: &Receiver<News>) -> News {
    news.recv_timeout(IN_TIME).expect("it is told in time")
}

#[test]
fn a_file_that_is_written_replaced_or_made_anew_is_told_of_and_one_that_holds_the_same_is_not() {
    let directory = Directory::new();
    directory.write("f.yaml", &config(1));
    directory.write("key.pem", "a key");
    let (_settings, _watch, news) = watch(&directory.at("f.yaml"), &directory.at("key.pem"));
    directory.write("f.yaml", &config(2));
    assert_eq!(next(&news), CONFIG);
    directory.replace("f.yaml", &config(3));
    assert_eq!(next(&news), CONFIG);
    // The same, in each of these ways: nothing of it is told before what is another key.
    directory.write("f.yaml", &config(3));
    directory.replace("f.yaml", &config(3));
    directory.write("beside.yaml", "nobody's");
    directory.replace("key.pem", "another key");
    assert_eq!(next(&news), OTHERS);
    fs::remove_file(directory.at("f.yaml")).expect("it is there");
    let gone = next(&news);
    assert!(matches!(&gone, News::Unreadable { file, .. } if *file == directory.at("f.yaml")), "{gone:?}");
    directory.write("f.yaml", &config(4));
    assert_eq!(next(&news), CONFIG);
}

#[test]
fn what_is_being_written_is_waited_for_and_what_changes_together_is_told_together() {
    let directory = Directory::new();
    directory.write("f.yaml", &config(1));
    directory.write("key.pem", "a key");
    let (_settings, _watch, news) = watch(&directory.at("f.yaml"), &directory.at("key.pem"));
    let text = config(2);
    for end in 1..=text.len() {
        directory.write("f.yaml", &text[..end]);
    }
    directory.write("key.pem", "another key");
    let (mut times, mut told) = (0, (false, false));
    while told != (true, true) {
        let News::Changed { config, others } = next(&news) else { panic!("each can be read") };
        told = (told.0 || config, told.1 || others);
        times += 1;
    }
    assert_eq!(load(directory.at("f.yaml")).expect("it is whole").servers.len(), 1);
    // Once, unless this thread had to wait for the CPU in between.
    assert!(times < text.len() / 4, "told {times} times of {} writes", text.len());
}

#[test]
fn a_config_map_that_is_swapped_is_told_of() {
    let directory = Directory::new();
    for (version, port) in [("..v1", 1), ("..v2", 2), ("..v3", 3)] {
        directory.write(&format!("{version}/f.yaml"), &config(port));
        directory.write(&format!("{version}/key.pem"), if version == "..v3" { "another key" } else { "a key" });
    }
    directory.point("..data", "..v1");
    for name in ["f.yaml", "key.pem"] {
        symlink(format!("..data/{name}"), directory.at(name)).expect("the directory is writable");
    }
    let (_settings, _watch, news) = watch(&directory.at("f.yaml"), &directory.at("key.pem"));
    directory.point("..data", "..v2");
    fs::remove_dir_all(directory.at("..v1")).expect("it is there");
    assert_eq!(next(&news), CONFIG);
    directory.point("..data", "..v3");
    assert_eq!(next(&news), News::Changed { config: true, others: true });
}

#[test]
fn a_link_far_away_that_leads_elsewhere_is_told_of() {
    let directory = Directory::new();
    directory.write("releases/1/f.yaml", &config(1));
    directory.write("releases/2/f.yaml", &config(2));
    directory.write("key.pem", "a key");
    directory.point("releases/current", "1");
    directory.write("etc/nothing", "");
    symlink("../releases/current/f.yaml", directory.at("etc/f.yaml")).expect("the directory is writable");
    let (_settings, _watch, news) = watch(&directory.at("etc/f.yaml"), &directory.at("key.pem"));
    directory.point("releases/current", "2");
    assert_eq!(next(&news), CONFIG);
}

#[test]
fn a_directory_that_is_made_anew_is_watched_as_the_one_before() {
    let directory = Directory::new();
    directory.write("etc/f.yaml", &config(1));
    directory.write("key.pem", "a key");
    let (_settings, _watch, news) = watch(&directory.at("etc/f.yaml"), &directory.at("key.pem"));
    directory.write("staged/f.yaml", &config(2));
    fs::rename(directory.at("etc"), directory.at("gone")).expect("the directory is writable");
    fs::rename(directory.at("staged"), directory.at("etc")).expect("the directory is writable");
    let until_config = || while next(&news) != CONFIG {};
    until_config();
    directory.write("etc/f.yaml", &config(3));
    until_config();
}

#[test]
fn a_file_that_a_value_refers_to_belongs_to_the_configuration() {
    let directory = Directory::new();
    directory.write("f.yaml", &config(1).replace("port: 1", "port: '${file:secrets/port}'"));
    directory.write("secrets/port", "1\n");
    directory.write("key.pem", "a key");
    let (settings, _watch, news) = watch(&directory.at("f.yaml"), &directory.at("key.pem"));
    let sources: Vec<_> = settings.sources.iter().map(|source| source.path().to_owned()).collect();
    assert_eq!(sources, [directory.at("f.yaml"), directory.at("secrets/port")]);
    directory.write("secrets/port", "2\n");
    assert_eq!(next(&news), CONFIG);
}

#[test]
fn a_change_between_reading_and_watching_is_told_of() {
    let directory = Directory::new();
    directory.write("f.yaml", &config(1));
    directory.write("key.pem", "a key");
    let settings = load(directory.at("f.yaml")).expect("it is valid");
    directory.write("f.yaml", &config(2));
    let (told, news) = channel();
    let _watch = Watch::start(&settings.sources, [], move |news| drop(told.send(news))).expect("there is a thread");
    assert_eq!(next(&news), CONFIG);
}

#[test]
fn a_file_that_cannot_be_read_is_told_of_once_and_what_belongs_to_it_waits() {
    let directory = Directory::new();
    directory.write("f.yaml", &config(1).replace("port: 1", "port: '${file:port}'"));
    directory.write("port", "1\n");
    directory.write("key.pem", "a key");
    let (_settings, _watch, news) = watch(&directory.at("f.yaml"), &directory.at("key.pem"));
    fs::remove_file(directory.at("port")).expect("it is there");
    let gone = next(&news);
    assert!(
        matches!(&gone, News::Unreadable { file, why } if *file == directory.at("port") && why.contains("No such file")),
        "{gone:?}"
    );
    // Changed while the other is away, so it waits for it; the key does not.
    directory.write("f.yaml", &(config(1).replace("port: 1", "port: '${file:port}'") + "\n"));
    directory.write("key.pem", "another key");
    assert_eq!(next(&news), OTHERS);
    directory.write("port", "1\n");
    assert_eq!(next(&news), CONFIG);
    // And told of again where it is gone again.
    fs::remove_file(directory.at("port")).expect("it is there");
    assert!(matches!(next(&news), News::Unreadable { .. }));
    // Back as it was: nothing to tell, before what is told next.
    directory.write("port", "1\n");
    directory.write("key.pem", "a third key");
    assert_eq!(next(&news), OTHERS);
}

#[test]
fn another_file_that_is_gone_keeps_back_no_others() {
    let directory = Directory::new();
    directory.write("f.yaml", &config(1));
    directory.write("key.pem", "a key");
    directory.write("jwks.json", "{}");
    let (settings, watch, news) = watch(&directory.at("f.yaml"), &directory.at("key.pem"));
    watch.follow(&settings.sources, ["key.pem", "jwks.json"].map(|name| directory.at(name)));
    fs::remove_file(directory.at("jwks.json")).expect("it is there");
    assert!(matches!(next(&news), News::Unreadable { file, .. } if file == directory.at("jwks.json")));
    directory.write("key.pem", "another key");
    assert_eq!(next(&news), OTHERS);
}

#[test]
fn other_files_are_watched_when_it_is_told_to() {
    let directory = Directory::new();
    directory.write("f.yaml", &config(1));
    directory.write("key.pem", "a key");
    directory.write("elsewhere/key.pem", "a key");
    let (settings, watch, news) = watch(&directory.at("f.yaml"), &directory.at("key.pem"));
    watch.follow(&settings.sources, [directory.at("elsewhere/key.pem")]);
    directory.write("elsewhere/key.pem", "another key");
    assert_eq!(next(&news), OTHERS);
    directory.write("key.pem", "nobody looks at it");
    directory.write("f.yaml", &config(2));
    assert_eq!(next(&news), CONFIG);
}

#[test]
fn the_thread_ends_with_the_watch() {
    let directory = Directory::new();
    directory.write("f.yaml", &config(1));
    let (_settings, watch, news) = watch(&directory.at("f.yaml"), &directory.at("f.yaml"));
    drop(watch);
    // Whoever would be told is gone: its sender with it.
    assert_eq!(news.recv_timeout(IN_TIME), Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn a_file_that_a_refused_configuration_misses_is_waited_for() {
    let directory = Directory::new();
    directory.write("f.yaml", &config(1));
    directory.write("key.pem", "a key");
    let (_settings, watch, news) = watch(&directory.at("f.yaml"), &directory.at("key.pem"));
    let wanting = |port: &str| config(1).replace("port: 1", &format!("port: \"{port}\""));
    directory.write("f.yaml", &wanting("${file:secrets/port}${file:secrets/more}"));
    assert_eq!(next(&news), CONFIG);
    let refused = load(directory.at("f.yaml")).expect_err("both files are missing");
    let missing = [directory.at("f.yaml"), directory.at("secrets/port")];
    let sources = refused.sources().iter().map(streamfence_config::Source::path);
    assert!(missing.iter().eq(sources.clone()), "{:?}", sources.collect::<Vec<_>>());
    watch.follow(refused.sources(), []);
    // It is nothing new that it is not there; that it is, is.
    directory.write("secrets/port", "2");
    assert_eq!(next(&news), CONFIG);
    let refused = load(directory.at("f.yaml")).expect_err("the other one is missing");
    watch.follow(refused.sources(), []);
    // Nor is one waited for that is not wanted any more.
    directory.write("f.yaml", &wanting("${file:secrets/port}"));
    assert_eq!(next(&news), CONFIG);
    let settings = load(directory.at("f.yaml")).expect("nothing is missing");
    assert_eq!(settings.sources.len(), 2);
}
