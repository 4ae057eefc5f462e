//! A torrent's files as a tree: folders open and close without script.

use std::collections::BTreeMap;

use domain::amount::Bytes;
use domain::torrent::File;
use maud::{Markup, html};

use crate::web::component::size;

/// The deepest folder that opens on its own; what is deeper is shown by its path.
const DEEPEST: usize = 12;

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<&'a str, Self>,
    files: Vec<(&'a str, Bytes)>,
}

impl<'a> Folder<'a> {
    fn add(&mut self, path: &'a str, size: Bytes, depth: usize) {
        match path.split_once('/') {
            Some((folder, rest)) if depth < DEEPEST => {
                self.folders
                    .entry(folder)
                    .or_default()
                    .add(rest, size, depth + 1);
            }
            _ => self.files.push((path, size)),
        }
    }

    fn size(&self) -> Bytes {
        let own: u64 = self.files.iter().map(|(_, size)| size.0).sum();
        Bytes(
            own + self
                .folders
                .values()
                .map(|folder| folder.size().0)
                .sum::<u64>(),
        )
    }

    fn show(&self, open: bool) -> Markup {
        html! {
            ul.tree {
                @for (name, folder) in &self.folders {
                    li { details open[open] {
                        summary { span { (name) "/" } (size(folder.size())) }
                        (folder.show(false))
                    } }
                }
                @for (name, bytes) in &self.files { li.file { span { (name) } (size(*bytes)) } }
            }
        }
    }
}

/// Shows the files at hand, and how many more there are.
pub(super) fn tree(files: &[File], all: i32) -> Markup {
    let mut top = Folder::default();
    for file in files {
        top.add(&file.path, file.size, 0);
    }
    let more = usize::try_from(all)
        .unwrap_or(0)
        .saturating_sub(files.len());
    html! {
        (top.show(true))
        @if more > 0 { p.hint { "and " (more) " more; the .torrent file lists them all." } }
    }
}
