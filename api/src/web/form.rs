//! Fields of forms: each with its label, its hint and its error.

use maud::{Markup, html};

/// A field of one line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Field<'a> {
    /// What it is called in the form and the document.
    pub(crate) name: &'a str,
    /// What the person reads.
    pub(crate) label: &'a str,
    /// The kind of input.
    pub(crate) kind: &'a str,
    /// What stands in it.
    pub(crate) value: &'a str,
    /// What helps to fill it.
    pub(crate) hint: &'a str,
    /// What browsers and password managers may fill in.
    pub(crate) autocomplete: &'a str,
    /// Whether it may stay empty.
    pub(crate) optional: bool,
}

/// A field that is sent with its form.
pub(crate) fn field(field: &Field<'_>) -> Markup {
    input(field, Some(field.name))
}

/// A field that no form can send: it has no name; a module reads it.
pub(crate) fn kept_here(field: &Field<'_>) -> Markup {
    input(field, None)
}

fn input(field: &Field<'_>, name: Option<&str>) -> Markup {
    let hint = format!("{}-hint", field.name);
    let described = (!field.hint.is_empty()).then_some(&hint);
    html! {
        div.field {
            label for=(field.name) { (field.label) }
            input id=(field.name) name=[name] type=(field.kind) value=(field.value) required[!field.optional]
                autocomplete=(field.autocomplete) aria-describedby=[described] autocapitalize="none" spellcheck="false";
            @if !field.hint.is_empty() { p.hint id=(hint) { (field.hint) } }
        }
    }
}

/// The token that every form of a member carries.
pub(crate) fn token(token: &str) -> Markup {
    html! { input type="hidden" name="_token" value=(token); }
}

/// How strong the password of a field is, while it is typed; a module fills it in.
pub(crate) fn strength(field: &str) -> Markup {
    html! {
        div.strength data-strength=(field) hidden {
            meter min="0" max="60" low="33" high="45" optimum="60" value="0" aria-label="Strength" {}
            p.hint data-words role="status" {}
        }
    }
}

/// The button that sends a form.
pub(crate) fn submit(label: &str) -> Markup {
    html! { button.primary type="submit" { (label) } }
}

/// The last question before something is retired that stands at a path, and the way back to it.
pub(crate) fn retire_form(at: &str, keep: &str, form_token: &str) -> Markup {
    html! {
        form action={ (at) "/retire" } method="post" {
            (token(form_token))
            div.actions {
                button.danger type="submit" { "Retire it" }
                a.button href=(at) { (keep) }
            }
        }
    }
}

/// What a module says while it works: steps, progress and errors.
pub(crate) fn progress() -> Markup {
    html! {
        div.working data-working hidden {
            p data-step role="status" {}
            progress max="100" value="0" aria-label="Proof of work" {}
        }
        div.notice.bad data-error role="alert" hidden {}
        noscript {
            div.notice.bad {
                "Your password is turned into a proof by your browser and never sent. That needs JavaScript: "
                "switch it on for this page."
            }
        }
    }
}
