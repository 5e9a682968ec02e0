#!/bin/sh
# Fetches the address ranges of a CDN and writes them, with source and date, where the verifier or nginx reads them.
#
#   refresh-ranges.sh [--nginx] FILE URL…
#
#   Cloudflare:  refresh-ranges.sh /etc/portcullis/cdn-ranges.txt https://www.cloudflare.com/ips-v4 https://www.cloudflare.com/ips-v6
#   then:        systemctl reload portcullis          (with --nginx: nginx -t && nginx -s reload)
#
# Once a day by cron or a timer is enough. Each URL has to give one network a line, or JSON from which networks can be picked (AWS,
# Fastly). --nginx writes `set_real_ip_from` lines. FILE is replaced only by a whole new list: when a URL cannot be fetched, when it gives
# nothing, or gives a network wider than /8 (IPv6: /16), the old file stays and this ends with status 1.
set -eu

form=plain
if [ "${1-}" = --nginx ]; then form=nginx; shift; fi
if [ "$#" -lt 2 ]; then echo "usage: refresh-ranges.sh [--nginx] FILE URL..." >&2; exit 2; fi
file=$1; shift

new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new" "$new.fetched"' EXIT

{
    for url in "$@"; do echo "# source: $url"; done
    echo "# date: $(date -u +%Y-%m-%d)"
} > "$new"

for url in "$@"; do
    curl --fail --silent --show-error --location --max-time 30 --max-filesize 8000000 --output "$new.fetched" "$url"
    # Whatever stands between quotes, commas and blanks and looks like a network.
    networks=$(tr -s ' ,"\t\r[]{}' '\n' < "$new.fetched" | grep -E '^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$|^[0-9A-Fa-f:]*:[0-9A-Fa-f:]*/[0-9]{1,3}$' | sort -u || true)
    if [ -z "$networks" ]; then echo "$url gives no networks; $file stays as it was" >&2; exit 1; fi
    for network in $networks; do
        case $network in *:*) least=16 ;; *) least=8 ;; esac
        if [ "${network#*/}" -lt "$least" ]; then echo "$url gives $network, which is too wide; $file stays as it was" >&2; exit 1; fi
        if [ "$form" = nginx ]; then echo "set_real_ip_from $network;"; else echo "$network"; fi
    done >> "$new"
done

chmod 0644 "$new"
mv "$new" "$file"
