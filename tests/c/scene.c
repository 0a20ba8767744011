#include "scene.h"

#include <stdlib.h>

static void make_tunnel(side *own, const side *other, const underpass_options *options, uint64_t now)
{
    underpass_peer_change change = side_change(other);
    OK(underpass_tunnel_new(options, now, WALL, &own->tunnel));
    OK(underpass_tunnel_configure_peers(own->tunnel, now, &change, 1, NULL));
    OK(underpass_tunnel_peer_by_key(own->tunnel, other->public_key, &own->peer));
}

void scene_open(scene *scene)
{
    side right = side_of(2);
    underpass_options options = side_options(&right);
    scene_open_with(scene, &options);
}

void scene_open_with(scene *scene, underpass_options *right)
{
    underpass_options left;
    memset(scene, 0, sizeof *scene);
    scene->now = BEGIN;
    scene->left = side_of(1);
    scene->right = side_of(2);
    left = side_options(&scene->left);
    memcpy(right->private_key, scene->right.private_key, 32);
    right->flags |= UNDERPASS_OPTION_PRIVATE_KEY;
    make_tunnel(&scene->left, &scene->right, &left, scene->now);
    make_tunnel(&scene->right, &scene->left, right, scene->now);
}

void scene_shake(scene *scene)
{
    OK(underpass_tunnel_connect(scene->left.tunnel, scene->now, scene->left.peer));
    CHECK(scene_exchange(scene) >= 3);
}

static unsigned carry(side *from, side *to, uint64_t now)
{
    unsigned count = 0;
    size_t len;
    uint8_t *datagram;
    while ((datagram = next_datagram(from, now, &len)) != NULL) {
        count++;
        hand_over(to, now, datagram, len, from->number);
        free(datagram);
    }
    return count;
}

unsigned scene_exchange(scene *scene)
{
    unsigned total = 0, carried, round;
    for (round = 0; round < 64; round++) {
        carried = carry(&scene->left, &scene->right, scene->now);
        carried += carry(&scene->right, &scene->left, scene->now);
        if (carried == 0) return total;
        total += carried;
    }
    CHECK(!"they never fall silent");
    return total;
}

unsigned scene_pass(scene *scene, uint64_t until, int silent)
{
    unsigned wakings = 0;
    for (;;) {
        side *sides[2];
        uint64_t due;
        int at;
        sides[0] = &scene->left;
        sides[1] = &scene->right;
        due = deadline_of(sides[0]) < deadline_of(sides[1]) ? deadline_of(sides[0]) : deadline_of(sides[1]);
        if (due > until) break;
        CHECK(++wakings < 100000);
        if (due > scene->now) scene->now = due;
        for (at = 0; at < 2; at++) {
            if (deadline_of(sides[at]) > scene->now) continue;
            OK(underpass_tunnel_handle_timeout(sides[at]->tunnel, scene->now));
            CHECK(deadline_of(sides[at]) > scene->now);
            if (silent) drain_datagrams(sides[at], scene->now);
        }
        if (!silent) scene_exchange(scene);
    }
    scene->now = until;
    return wakings;
}

void scene_close(scene *scene)
{
    OK(underpass_tunnel_free(scene->left.tunnel));
    OK(underpass_tunnel_free(scene->right.tunnel));
}

side side_of(uint8_t number)
{
    side side;
    memset(&side, 0, sizeof side);
    side.number = number;
    memset(side.private_key, number + 1, 32);
    OK(underpass_public_key(side.private_key, side.public_key));
    return side;
}

underpass_options side_options(const side *side)
{
    underpass_options options;
    OK(underpass_options_init(&options, sizeof options));
    options.flags |= UNDERPASS_OPTION_PRIVATE_KEY;
    memcpy(options.private_key, side->private_key, 32);
    return options;
}

underpass_peer_change side_change(const side *other)
{
    static underpass_allowed_ip allowed[256][2];
    underpass_allowed_ip *ips = allowed[other->number];
    underpass_peer_change change;
    OK(underpass_peer_change_init(&change, sizeof change));
    memset(ips, 0, sizeof allowed[0]);
    ips[0].network = network(10, other->number, 16);
    ips[1].network.family = UNDERPASS_FAMILY_IPV6;
    ips[1].network.prefix = 32;
    ips[1].network.bytes[0] = 0xfd;
    ips[1].network.bytes[3] = other->number;
    memcpy(change.public_key, other->public_key, 32);
    change.flags = UNDERPASS_PEER_HAS_ENDPOINT;
    change.endpoint = address_of(other->number);
    change.allowed_ips = ips;
    change.allowed_ips_len = 2;
    return change;
}

underpass_address address_of(uint8_t number)
{
    underpass_address address;
    memset(&address, 0, sizeof address);
    address.family = UNDERPASS_FAMILY_IPV4;
    address.port = 51820;
    address.ip[0] = 192;
    address.ip[2] = 2;
    address.ip[3] = number;
    return address;
}

underpass_path path_of(uint8_t number)
{
    underpass_path path;
    memset(&path, 0, sizeof path);
    path.remote = address_of(number);
    return path;
}

underpass_ip network(uint8_t a, uint8_t b, uint8_t prefix)
{
    underpass_ip ip;
    memset(&ip, 0, sizeof ip);
    ip.family = UNDERPASS_FAMILY_IPV4;
    ip.prefix = prefix;
    ip.bytes[0] = a;
    ip.bytes[1] = b;
    return ip;
}

uint8_t *next_datagram(side *side, uint64_t now, size_t *len)
{
    uint8_t *buffer = exactly(TRANSMIT_BUFFER), *datagram = NULL;
    underpass_transmit transmit;
    int32_t status;
    transmit.size = sizeof transmit;
    status = underpass_tunnel_poll_transmit(side->tunnel, now, buffer, TRANSMIT_BUFFER, &transmit);
    if (status == UNDERPASS_OK) {
        *len = transmit.len;
        datagram = copy_of(buffer, transmit.len);
    } else {
        STATUS(UNDERPASS_NOTHING, status);
    }
    free(buffer);
    return datagram;
}

unsigned drain_datagrams(side *side, uint64_t now)
{
    unsigned count = 0;
    size_t len;
    uint8_t *datagram;
    while ((datagram = next_datagram(side, now, &len)) != NULL) {
        count++;
        free(datagram);
    }
    return count;
}

int next_event(side *side, uint32_t kind, underpass_event *event)
{
    int32_t status;
    event->size = sizeof *event;
    while ((status = underpass_tunnel_poll_event(side->tunnel, event)) == UNDERPASS_OK) {
        if (event->kind == kind) return 1;
    }
    STATUS(UNDERPASS_NOTHING, status);
    return 0;
}

void drain_events(side *side)
{
    underpass_event event;
    CHECK(!next_event(side, UINT32_MAX, &event));
}

uint64_t deadline_of(const side *side)
{
    uint64_t deadline;
    OK(underpass_tunnel_poll_timeout(side->tunnel, &deadline));
    return deadline;
}

/* The checksum of an IPv4 header (RFC 1071). */
static void write_checksum(uint8_t *header)
{
    uint32_t sum = 0;
    int at;
    for (at = 0; at < 20; at += 2) sum += (uint32_t)header[at] << 8 | header[at + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    header[10] = (uint8_t)(sum >> 8);
    header[11] = (uint8_t)sum;
}

void write_packet(uint8_t *packet, uint8_t from, uint8_t to, size_t len, uint8_t fill)
{
    size_t at;
    CHECK(len >= 20 && len <= 65535);
    memset(packet, 0, 20);
    packet[0] = 0x45;
    packet[2] = (uint8_t)(len >> 8);
    packet[3] = (uint8_t)len;
    packet[8] = 64;
    packet[9] = 17;
    packet[12] = packet[16] = 10;
    packet[13] = from;
    packet[17] = to;
    packet[15] = packet[19] = 1;
    write_checksum(packet);
    for (at = 20; at < len; at++) packet[at] = (uint8_t)(fill + at);
}

underpass_slot packet_slot(uint8_t from, uint8_t to, size_t len, uint8_t fill)
{
    underpass_slot slot;
    memset(&slot, 0, sizeof slot);
    slot.cap = (uint32_t)(UNDERPASS_HEADROOM + len + UNDERPASS_TAILROOM);
    slot.buf = exactly(slot.cap);
    slot.start = UNDERPASS_HEADROOM;
    slot.len = (uint32_t)len;
    write_packet(slot.buf + slot.start, from, to, len, fill);
    return slot;
}

underpass_slot datagram_slot(const uint8_t *datagram, size_t len, uint8_t from)
{
    underpass_slot slot;
    memset(&slot, 0, sizeof slot);
    slot.buf = copy_of(datagram, len);
    slot.cap = slot.len = (uint32_t)len;
    slot.path = path_of(from);
    return slot;
}

const uint8_t *slot_bytes(const underpass_slot *slot)
{
    CHECK(slot->start <= slot->cap && slot->len <= slot->cap - slot->start);
    return slot->buf + slot->start;
}

void free_slots(underpass_slot *slots, size_t len)
{
    size_t at;
    for (at = 0; at < len; at++) free(slots[at].buf);
}

uint8_t *sealed(side *from, uint64_t now, uint8_t to, size_t len, uint8_t fill, size_t *out_len)
{
    underpass_slot slot = packet_slot(from->number, to, len, fill);
    uint8_t *datagram;
    OK(underpass_tunnel_handle_packets(from->tunnel, now, &slot, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
    datagram = copy_of(slot_bytes(&slot), slot.len);
    *out_len = slot.len;
    free(slot.buf);
    return datagram;
}

int32_t hand_over(side *to, uint64_t now, const uint8_t *datagram, size_t len, uint8_t from)
{
    underpass_slot slot = datagram_slot(datagram, len, from);
    OK(underpass_tunnel_handle_datagrams(to->tunnel, now, &slot, 1));
    free(slot.buf);
    return slot.verdict;
}

uint64_t drops_of(const side *side, uint32_t reason)
{
    uint64_t counts[UNDERPASS_DROP_REASONS];
    size_t len;
    OK(underpass_tunnel_drops(side->tunnel, counts, COUNT(counts), &len));
    EQ(len, UNDERPASS_DROP_REASONS);
    CHECK(reason < len);
    return counts[reason];
}
