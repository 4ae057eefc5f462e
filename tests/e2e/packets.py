"""Two libtorrent clients on loopback: one seeds, the other downloads; both announce to one URL each.

    packets.py TORRENT SEED_DIR LEECH_DIR SEEDER_URL LEECHER_URL

Prints what each client claims to have moved, as JSON, once both have said that they stop.
"""

import json
import sys
import time

import libtorrent

torrent, seed_dir, leech_dir, seeder_url, leecher_url = sys.argv[1:]
SETTINGS = {
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "listen_interfaces": "127.0.0.1:0", "allow_multiple_connections_per_ip": True,
    "alert_mask": libtorrent.alert.category_t.tracker_notification | libtorrent.alert.category_t.error_notification,
}


def client(folder, url):
    session = libtorrent.session(SETTINGS)
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(torrent)
    parameters.save_path = folder
    parameters.trackers = [url]
    parameters.flags |= libtorrent.torrent_flags.override_trackers
    return session, session.add_torrent(parameters)


def until(what, seconds, found):
    end = time.time() + seconds
    while not found():
        if time.time() > end:
            sys.exit(what + " didn't happen")
        time.sleep(0.1)


def alerts(session, kind, said):
    for alert in session.pop_alerts():
        print(alert.message(), file=sys.stderr)
        said.append(isinstance(alert, kind))
    return any(said)


seeder, seeding = client(seed_dir, seeder_url)
until("seeding", 60, lambda: seeding.status().is_seeding)
said = []
until("the seeder's announce", 60, lambda: alerts(seeder, libtorrent.tracker_reply_alert, said))
leecher, leeching = client(leech_dir, leecher_url)
until("the download", 120, lambda: leeching.status().is_seeding)
claims = []
for session, handle in [(leecher, leeching), (seeder, seeding)]:
    alerts(session, libtorrent.tracker_reply_alert, [])
    time.sleep(1)
    status = handle.status()
    claims.append({"uploaded": status.total_payload_upload, "downloaded": status.total_payload_download})
    handle.force_reannounce(0, -1, libtorrent.reannounce_flags_t.ignore_min_interval)
    said = []
    until("the last announce", 60, lambda: alerts(session, libtorrent.tracker_reply_alert, said))
print(json.dumps({"leecher": claims[0], "seeder": claims[1]}))
