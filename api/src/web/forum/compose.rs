//! The form in which posts are written: a text, a preview, and for a new topic its title.

use commands::request::{self, Key};
use domain::mention;
use domain::topic::{LONGEST_TEXT, LONGEST_TITLE};
use maud::{Markup, html};

use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::web::component::{notice, sanitised};
use crate::web::form::token;
use crate::web::markdown::{self, Known};

/// What the form holds when it is shown, at first or again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    /// What the topic is about, where one is opened.
    pub(crate) title: Option<String>,
    /// What the post says.
    pub(crate) text: String,
    /// How it will look, once that was asked for.
    pub(crate) preview: Option<Markup>,
    /// Why it was refused.
    pub(crate) error: Option<String>,
    /// What tells this form from any other, so that it is carried out once.
    pub(crate) nonce: String,
    /// The token of the member's forms.
    pub(crate) token: String,
}

impl Draft {
    /// Begins an empty form.
    pub(crate) fn new(app: &App, form_token: &str) -> Self {
        Self {
            nonce: app.random.id().simple().to_string(),
            token: form_token.to_owned(),
            ..Self::default()
        }
    }

    /// Takes back what was sent.
    pub(crate) fn sent(form: &CheckedForm) -> Self {
        Self {
            // Browsers send line ends as CR LF.
            text: form.field("text").replace("\r\n", "\n"),
            nonce: form.field("nonce").to_owned(),
            token: form.signed_in.form_token().to_owned(),
            ..Self::default()
        }
    }

    /// Shows how it will look.
    pub(crate) async fn previewed(mut self, app: &App) -> Result<Self, Problem> {
        let known = known(app, [self.text.as_str()].into_iter()).await?;
        self.preview = Some(said(&self.text, &known));
        Ok(self)
    }
}

/// Tells whether a form asks for a preview alone.
pub(crate) fn is_preview(form: &CheckedForm) -> bool {
    form.field("act") == "preview"
}

/// Carries a form out once, however often the very same one arrives; `what` tells apart what is asked.
pub(crate) async fn once<T>(form: &CheckedForm, what: &str, work: impl Future<Output = T>) -> T {
    // It holds a whole command, which is more than a handler's own future should.
    let work = Box::pin(work);
    let nonce = form.field("nonce");
    if nonce.is_empty() {
        return work.await;
    }
    let words = format!("{nonce}/{}/{}", form.field("title"), form.field("text"));
    let key = Key::new(form.signed_in.profile.id, what, &words);
    request::request(Some(key), work).await.0
}

/// Gives the names of members that texts name, those that there are.
pub(crate) async fn known(app: &App, texts: impl Iterator<Item = &str>) -> Result<Known, Problem> {
    let names = texts.flat_map(mention::find).map(|(_, name)| name.folded());
    Ok(projections::user::known(&app.reads, names).await?)
}

/// A post's text as it is shown.
pub(crate) fn said(text: &str, known: &Known) -> Markup {
    sanitised(&markdown::render_naming(text, known))
}

/// The form's fields and buttons.
pub(crate) fn fields(draft: &Draft, label: &str, send: &str) -> Markup {
    html! {
        (token(&draft.token))
        input type="hidden" name="nonce" value=(draft.nonce);
        @if let Some(error) = &draft.error { (notice("bad", &html! { (error) })) }
        @if let Some(title) = &draft.title {
            div.field {
                label for="title" { "Title" }
                input id="title" name="title" type="text" value=(title) required maxlength=(LONGEST_TITLE) autocomplete="off";
            }
        }
        @if let Some(preview) = &draft.preview {
            section.card.preview aria-label="Preview" tabindex="-1" { h2 { "Preview" } (preview) }
        }
        div.field {
            label for="text" { (label) }
            textarea id="text" name="text" rows="8" required maxlength=(LONGEST_TEXT) aria-describedby="text-hint" { (draft.text) }
            p.hint id="text-hint" { "Markdown: **bold**, [links](https://…), > quotes, lists, tables. @name leads to a member." }
        }
        div.actions {
            button.primary type="submit" name="act" value="send" { (send) }
            button type="submit" name="act" value="preview" { "Preview" }
        }
    }
}
