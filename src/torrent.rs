//! Torrents at the command line.

use anyhow::Context as _;
use commands::{Commands, Refusal};
use domain::category;
use domain::id::TorrentId;
use domain::info_hash::InfoHash;
use domain::metainfo;
use domain::torrent::Upload;
use domain::user::Name;
use serde_json::json;

use crate::announcement;
use crate::cli;
use crate::config::Config;
use crate::store::Store;

/// Offers the torrent of a file.
pub(crate) async fn command(
    config: &Config,
    command: &cli::Torrent,
    json: bool,
) -> anyhow::Result<()> {
    let cli::Torrent::Add {
        file,
        category,
        uploader,
    } = command;
    let bytes = std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
    let store = Store::open(config).await?;
    let said = (category.as_str(), String::new());
    let upload = read(&store.commands, config, &bytes, said, uploader).await;
    let added = match upload {
        Ok(upload) => add(&store.commands, upload).await,
        Err(error) => Err(error),
    };
    store.close().await?;
    let (torrent, info_hash) = added?;
    let value = json!({ "torrent": torrent, "info_hash": info_hash.to_string() });
    announcement::answer(
        json,
        &value,
        &format!("offered as {torrent}, info_hash {info_hash}"),
    );
    Ok(())
}

/// Reads a torrent's file, to stand in a category with a description, in the name of a member.
pub(crate) async fn read(
    commands: &Commands,
    config: &Config,
    bytes: &[u8],
    (category, description): (&str, String),
    uploader: &str,
) -> anyhow::Result<Upload> {
    let checked = metainfo::read(bytes, &config.site.source)?;
    let seeded = category::seeded();
    let shelf = seeded.iter().find(|(_, shelf)| shelf.slug == category);
    let (category, _) = shelf.with_context(|| format!("there is no category {category}"))?;
    commands.seed_categories().await?;
    let member = commands.member_named(&Name::parse(uploader)?).await?;
    let uploader = member
        .with_context(|| format!("there is no member {uploader}"))?
        .id;
    Ok(Upload {
        uploader,
        name: checked.name,
        category: *category,
        description,
        info_hash: checked.info_hash,
        info_hash_v2: checked.info_hash_v2,
        size: checked.size,
        piece_length: checked.piece_length,
        files: checked.files,
        metainfo: checked.metainfo,
        tags: vec![],
        pending: false,
    })
}

/// Offers a torrent, whoever its uploader is.
pub(crate) async fn add(
    commands: &Commands,
    upload: Upload,
) -> anyhow::Result<(TorrentId, InfoHash)> {
    let info_hash = upload.info_hash;
    match commands.add(upload).await {
        Ok(done) => Ok((done.of, info_hash)),
        Err(Refusal::Taken {
            holder: Some(holder),
            ..
        }) => {
            anyhow::bail!("this torrent is offered already, as {holder}")
        }
        Err(refusal) => Err(refusal.into()),
    }
}
