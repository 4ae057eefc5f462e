//! The reference of all keys and commands, made of what stands in the sources above them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::CommandFactory as _;

use super::Config;
use crate::cli::Cli;

/// The types of the configuration.
const SOURCES: [&str; 3] = [
    include_str!("../config.rs"),
    include_str!("../../tracker/src/lib.rs"),
    include_str!("../../api/src/limit.rs"),
];

const HEAD: &str = "# Configuration and commands

Every key of `opentracker.toml` with its default, and every command. `opentracker config reference` prints this page.

A later source wins: the defaults, the file (`opentracker.toml` where the program is started, or `--config FILE`), the
environment (`OPENTRACKER_SECTION__KEY`, such as `OPENTRACKER_SITE__ORIGIN`), `DATABASE_URL` and `REDIS_URL`, and the
command line. A key that nobody knows or a value that can't be stops the start and is named. `opentracker config check`
tells it beforehand, and `opentracker config print` prints what is in force.

What members may do, ratios, freeleech, texts and the like are settings of the site, not of the program: administrators
change them on `/staff/settings`.
";

/// A field of a type, its type's last name, and what is said of it.
struct Field<'a> {
    name: &'a str,
    kind: &'a str,
    about: String,
}

/// Gives the reference in markdown.
pub(super) fn document() -> anyhow::Result<String> {
    let types: BTreeMap<&str, Vec<Field<'_>>> = SOURCES.into_iter().flat_map(types).collect();
    let defaults = toml::Value::try_from(Config::default())?;
    let mut text = HEAD.to_owned();
    let empty = vec![];
    let of = |kind: &str| types.get(kind).unwrap_or(&empty);
    let (sections, single): (Vec<_>, Vec<_>) = of("Config")
        .iter()
        .partition(|field| types.contains_key(field.kind));
    text.push_str("\n## At the top of the file\n\n| key | default | what |\n|---|---|---|\n");
    for field in single {
        line(
            &mut text,
            field.name,
            defaults.get(field.name),
            &field.about,
        )?;
    }
    for section in sections {
        let (name, about) = (section.name, &section.about);
        write!(
            text,
            "\n## Section {name}\n\n{about}\n\n| key | default | what |\n|---|---|---|\n"
        )?;
        for field in of(section.kind) {
            let value = defaults.get(name).and_then(|values| values.get(field.name));
            line(
                &mut text,
                &format!("{name}.{}", field.name),
                value,
                &field.about,
            )?;
        }
    }
    text.push_str("\n## Commands\n\nAll take `--data-dir DIR`, `--config FILE` and `--json`.\n\n| command | what |\n|---|---|\n");
    let mut root = Cli::command();
    root.build();
    for command in root.get_subcommands() {
        commands(&mut text, "opentracker", command)?;
    }
    Ok(text)
}

fn line(
    text: &mut String,
    key: &str,
    value: Option<&toml::Value>,
    about: &str,
) -> std::fmt::Result {
    let value = value.map(ToString::to_string).unwrap_or_default();
    writeln!(text, "| `{key}` | `{value}` | {} |", cell(about))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Writes a command's line, or those of the commands below it.
fn commands(text: &mut String, before: &str, command: &clap::Command) -> std::fmt::Result {
    if command.get_name() == "help" {
        return Ok(());
    }
    let name = format!("{before} {}", command.get_name());
    if command.has_subcommands() {
        for below in command.get_subcommands() {
            commands(text, &name, below)?;
        }
        return Ok(());
    }
    let mut usage = name;
    for argument in command
        .get_arguments()
        .filter(|argument| !argument.is_global_set() && argument.get_id() != "help")
    {
        let shown = argument.to_string();
        let shown = shown.replace(['<', '>'], "");
        let told = if argument.is_required_set() {
            shown
        } else {
            format!("[{shown}]")
        };
        usage = format!("{usage} {}", told.replace("[[", "[").replace("]]", "]"));
    }
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    writeln!(text, "| `{}` | {} |", cell(&usage), cell(&about))
}

/// Reads the types of a source that have fields.
fn types(source: &str) -> Vec<(&str, Vec<Field<'_>>)> {
    let mut types = vec![];
    let (mut within, mut fields, mut about) = (None, vec![], String::new());
    for line in source.lines() {
        let bare = line.trim();
        let code = bare
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub ");
        if let Some(words) = bare.strip_prefix("/// ") {
            let gap = if about.is_empty() { "" } else { " " };
            about.push_str(gap);
            about.push_str(words);
        } else if let Some(name) = code
            .strip_prefix("struct ")
            .and_then(|rest| rest.strip_suffix(" {"))
        {
            within = Some(name);
            about.clear();
        } else if line == "}" {
            types.extend(
                within
                    .take()
                    .map(|name| (name, std::mem::take(&mut fields))),
            );
            about.clear();
        } else if let (Some(_), Some((name, kind))) = (within, code.split_once(": ")) {
            let kind = kind.trim_end_matches(',');
            let kind = kind.rsplit("::").next().unwrap_or(kind);
            let about = std::mem::take(&mut about);
            fields.push(Field { name, kind, about });
        } else if !bare.starts_with("#[") {
            about.clear();
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_in_the_documents_is_up_to_date() {
        let kept = include_str!("../../docs/configuration.md");
        let made = document().unwrap();
        assert_eq!(
            kept.trim_end(),
            made.trim_end(),
            "make it anew: opentracker config reference > docs/configuration.md"
        );
    }

    #[test]
    fn every_key_is_told_and_explained() {
        fn keys(prefix: &str, value: &toml::Value, found: &mut Vec<String>) {
            match value.as_table() {
                Some(table) => {
                    for (key, value) in table {
                        keys(
                            format!("{prefix}.{key}").trim_start_matches('.'),
                            value,
                            found,
                        );
                    }
                }
                None => found.push(prefix.to_owned()),
            }
        }
        let made = document().unwrap();
        let mut all = vec![];
        keys(
            "",
            &toml::Value::try_from(Config::default()).unwrap(),
            &mut all,
        );
        assert!(all.len() > 30, "{all:?}");
        for key in all {
            let line = made
                .lines()
                .find(|line| line.starts_with(&format!("| `{key}` |")));
            let line = line.unwrap_or_else(|| panic!("{key} isn't told"));
            assert!(!line.ends_with("|  |"), "{key} isn't explained");
        }
    }
}
