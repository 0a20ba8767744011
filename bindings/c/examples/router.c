/* A whole small router for Linux: a TUN interface, UDP sockets, and a tunnel between them.
 *
 *     router [-s STATE] IFACE CONFIG
 *
 * CONFIG is what wg-quick reads. STATE keeps the timestamp of the latest handshake, for machines whose clock starts
 * anew with every boot. SIGUSR1 prints statistics; SIGHUP reads private key and peers of CONFIG again; SIGTERM and
 * SIGINT end it. One thread, no allocation per packet, no wake-up while nothing happens. Left out are the commands in
 * CONFIG (PreUp and the like), name servers, and the rules that a default route needs (see docs/c-guide.md). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <underpass.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define CALM (SECOND / 2) /* changes of the network come in bursts: wait for the end of one */
enum {
    BATCH = 64,              /* packets or datagrams that cross into the library at once */
    SOCKET_BUFFER = 4 << 20, /* bytes: what a fast link brings while we are elsewhere */
    PATIENCE = 50,           /* milliseconds that a full socket may hold us up before a datagram is dropped */
    LOOKUPS = 16             /* names looked up side by side; the tunnel asks again for the others */
};

/* What the loop waits for. */
enum { INTERFACE, UDP4, UDP6, ALARM, NETWORK, SIGNALS, ANSWERS, SOURCES };
static struct pollfd watched[SOURCES];

static underpass_tunnel *tunnel;
static char interface_name[IFNAMSIZ], table[64] = "main";
static const char *config_path, *state_path;
static uint64_t armed_for = UNDERPASS_NEVER, calm_at = UNDERPASS_NEVER, wall_read_at, saved_at;
static int answers_in, lookups, refused;

/* The memory of a batch: a slab with a place for each slot, and what the kernel wants to know of a datagram. */
static uint8_t *slab;
static uint32_t mtu, place; /* bytes */
static underpass_slot slots[BATCH];
static struct mmsghdr messages[BATCH];
static struct envelope {
    struct sockaddr_in6 remote; /* or the shorter sockaddr_in */
    struct iovec part;
    size_t control[24]; /* room for an address and a traffic class */
} envelopes[BATCH];

#define say(...) (fprintf(stderr, "router: " __VA_ARGS__), fputc('\n', stderr))

/* These two end the program when the system, or the library, refuses what it cannot do without. */
static int need(int outcome, const char *what) {
    if (outcome < 0) say("%s: %s", what, strerror(errno)), exit(1);
    return outcome;
}

static void must(int32_t status, const char *what) {
    if (status < 0) say("%s: %s", what, underpass_strerror(status)), exit(1);
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec < 0 ? 0 : (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* ---- configuration ---- */
/* Reads the configuration and tells what is wrong or odd in it. NULL: it cannot be read at all. */
static underpass_config *read_config(void) {
    static char text[1 << 20];
    underpass_config *config = NULL;
    underpass_diagnostic found = {.size = sizeof found};
    int fd = open(config_path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (len == (ssize_t)sizeof text) errno = EFBIG, len = -1; /* a part of it would be another configuration */
    if (len < 0) say("%s: %s", config_path, strerror(errno));
    if (len >= 0 && underpass_config_parse(text, (size_t)len, &config) < 0) say("%s: not UTF-8", config_path);
    close(fd), underpass_wipe(text, sizeof text);
    for (size_t i = 0; underpass_config_diagnostic(config, i, &found) == UNDERPASS_OK; i++)
        fprintf(stderr, "%s:%u:%u: %s: %s%s%s\n", config_path, found.line, found.column,
                found.severity == UNDERPASS_SEVERITY_ERROR ? "error" : "warning",
                found.key, *found.key ? ": " : "", found.reason);
    return config;
}

/* Runs `ip` with these words. No shell sees them. */
#define ip(...) run_ip((char *[]){"ip", __VA_ARGS__, NULL})
static void run_ip(char **words) {
    pid_t child;
    int status = 0;
    if ((errno = posix_spawnp(&child, "ip", NULL, NULL, words, (char *[]){NULL})) != 0) need(-1, "ip");
    waitpid(child, &status, 0); /* no signal interrupts: all are blocked, and read in the loop */
    if (status != 0) say("ip %s %s %s ... failed", words[1], words[2], words[3]);
}

static char *network_text(const underpass_ip *network) {
    static char text[INET6_ADDRSTRLEN + 4];
    inet_ntop(network->family == UNDERPASS_FAMILY_IPV6 ? AF_INET6 : AF_INET, network->bytes, text, INET6_ADDRSTRLEN);
    sprintf(text + strlen(text), "/%u", network->prefix);
    return text;
}

/* Routes to the allowed IPs. Each round has its own protocol number, by which the routes of the round before are told
 * apart and removed once the others are there: nothing takes the wrong way in between. */
static void set_routes(const underpass_config *config) {
    static char *families[] = {"-4", "-6"}, *round = "201", *last = "202";
    char *next = last;
    last = round, round = next;
    underpass_peer_change peer = {.size = sizeof peer};
    for (size_t i = 0; *table && underpass_config_peer(config, i, &peer) == UNDERPASS_OK; i++) {
        for (size_t j = 0; j < peer.allowed_ips_len; j++) {
            const underpass_ip *network = &peer.allowed_ips[j].network;
            if (network->prefix == 0 && strcmp(table, "main") == 0)
                say("no route to %s: a default route needs a Table of its own", network_text(network));
            else
                ip(families[network->family == UNDERPASS_FAMILY_IPV6], "route", "replace", network_text(network), "dev",
                   interface_name, "metric", "1024", "proto", round, "table", table);
        }
    }
    for (int i = 0; *table && i < 2; i++)
        ip(families[i], "route", "flush", "dev", interface_name, "proto", last, "table", table);
}

static void set_up_interface(const underpass_config *config, const underpass_interface *wanted) {
    char text[16];
    underpass_ip address;
    for (size_t i = 0; underpass_config_address(config, i, &address) == UNDERPASS_OK; i++)
        ip("address", "add", network_text(&address), "dev", interface_name);
    sprintf(text, "%u", mtu);
    ip("link", "set", "dev", interface_name, "mtu", text, "up");
    if (wanted->table_kind == UNDERPASS_TABLE_OFF) table[0] = '\0';
    if (wanted->table_kind == UNDERPASS_TABLE_NUMBER) sprintf(table, "%u", wanted->table_number);
    if (wanted->table_kind == UNDERPASS_TABLE_NAME) snprintf(table, sizeof table, "%s", wanted->table_name);
    set_routes(config);
}

/* The timestamp floor, in a file. */
static void load_floor(uint8_t *floor) {
    int fd = open(state_path, O_RDONLY | O_CLOEXEC);
    if (read(fd, floor, UNDERPASS_TIMESTAMP_LEN) != UNDERPASS_TIMESTAMP_LEN) memset(floor, 0, UNDERPASS_TIMESTAMP_LEN);
    close(fd);
}

/* Not more often than every minute: flash memory wears out. A loss of power leaves the old file or the new one. */
static void save_floor(uint64_t t) {
    if (state_path == NULL) return;
    uint8_t floor[UNDERPASS_TIMESTAMP_LEN];
    char path[4096];
    must(underpass_tunnel_timestamp_floor(tunnel, floor), "timestamp");
    snprintf(path, sizeof path, "%s.new", state_path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool saved = write(fd, floor, sizeof floor) == sizeof floor && fsync(fd) == 0 && rename(path, state_path) == 0;
    if (!saved) say("%s: %s", state_path, strerror(errno));
    close(fd);
    saved_at = t;
}

/* ---- datagrams ---- */
/* Where our own address stands in what the system tells of a datagram that came to it. */
#define LOCAL_AT(v4) ((v4) ? offsetof(struct in_pktinfo, ipi_spec_dst) : offsetof(struct in6_pktinfo, ipi6_addr))

static socklen_t to_system(const underpass_address *in, struct sockaddr_in6 *out) {
    size_t len;
    must(underpass_address_to_sockaddr(in, UNDERPASS_FAMILY_NONE, out, sizeof *out, &len), "address");
    return (socklen_t)len;
}

static underpass_address from_system(const void *in, socklen_t len) {
    underpass_address out;
    must(underpass_address_from_sockaddr(in, len, &out), "address");
    return out;
}

/* A socket of one family on `port` (0: any; it is written there). -1: the machine lacks the family. */
static int open_socket(bool v4, uint16_t *port, uint32_t mark) {
    int level = v4 ? IPPROTO_IP : IPPROTO_IPV6, room = SOCKET_BUFFER, on = 1;
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT) return -1;
    need(fd, "UDP");
    /* To which of our addresses a datagram came, and whether it met a full queue on its way. */
    need(setsockopt(fd, level, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &on, sizeof on), "packet information");
    need(setsockopt(fd, level, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, &on, sizeof on), "traffic class");
    /* Where the path is too narrow, datagrams travel in fragments, as those of every WireGuard. */
    int discover = v4 ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_DONT;
    need(setsockopt(fd, level, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &discover, sizeof discover), "fragments");
    need(v4 ? 0 : setsockopt(fd, level, IPV6_V6ONLY, &on, sizeof on), "IPv6 alone");
    need(mark == 0 ? 0 : setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark), "FwMark");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    underpass_address any = {.family = v4 ? UNDERPASS_FAMILY_IPV4 : UNDERPASS_FAMILY_IPV6, .port = *port};
    struct sockaddr_in6 bound;
    socklen_t len = to_system(&any, &bound);
    need(bind(fd, (struct sockaddr *)&bound, len), "ListenPort");
    need(getsockname(fd, (struct sockaddr *)&bound, &len), "ListenPort");
    *port = from_system(&bound, len).port;
    return fd;
}

/* Slot `i`, empty, on its place in the slab. */
static underpass_slot *fresh(size_t i, uint32_t start) {
    slots[i] = (underpass_slot){.buf = slab + i * place, .cap = place, .start = start};
    return &slots[i];
}

/* Message `i`, about these bytes, with empty space for address and control messages. */
static struct msghdr *envelop(size_t i, uint8_t *bytes, size_t len) {
    struct envelope *own = &envelopes[i];
    own->part = (struct iovec){bytes, len};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &own->remote, .msg_namelen = sizeof own->remote, .msg_iovlen = 1,
        .msg_iov = &own->part, .msg_control = own->control, .msg_controllen = sizeof own->control};
    return &messages[i].msg_hdr;
}

static void attach(struct msghdr *message, int level, int type, const void *data, size_t len) {
    struct cmsghdr *header = (struct cmsghdr *)((char *)message->msg_control + message->msg_controllen);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(header), data, len);
    message->msg_controllen += CMSG_SPACE(len);
}

/* Message `i` says where the datagram in `slot` goes, from which of our addresses, with which ECN bits. */
static void address_message(size_t i, const underpass_slot *slot) {
    struct msghdr *message = envelop(i, slot->buf + slot->start, slot->len);
    bool v4 = slot->path.remote.family == UNDERPASS_FAMILY_IPV4;
    int level = v4 ? IPPROTO_IP : IPPROTO_IPV6, ecn = slot->ecn;
    uint8_t from[sizeof(struct in6_pktinfo)] = {0}; /* the longer of both */
    memcpy(from + LOCAL_AT(v4), slot->path.local.bytes, v4 ? 4 : 16);
    message->msg_namelen = to_system(&slot->path.remote, &envelopes[i].remote);
    message->msg_controllen = 0;
    attach(message, level, v4 ? IP_TOS : IPV6_TCLASS, &ecn, sizeof ecn);
    if (slot->path.local.family != UNDERPASS_FAMILY_NONE)
        attach(message, level, v4 ? IP_PKTINFO : IPV6_PKTINFO, from, v4 ? sizeof(struct in_pktinfo) : sizeof from);
}

/* The reverse: what the kernel wrote into message `i`. */
static void read_message(size_t i, underpass_slot *slot) {
    struct msghdr *message = &messages[i].msg_hdr;
    slot->len = messages[i].msg_len;
    slot->path.remote = from_system(message->msg_name, message->msg_namelen);
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        bool v4 = header->cmsg_level == IPPROTO_IP;
        const uint8_t *data = CMSG_DATA(header);
        int class = *data; /* a byte in IPv4, an int in IPv6 */
        if (header->cmsg_type == (v4 ? IP_PKTINFO : IPV6_PKTINFO)) {
            slot->path.local.family = slot->path.remote.family;
            memcpy(slot->path.local.bytes, data + LOCAL_AT(v4), v4 ? 4 : 16);
        } else if (header->cmsg_type == (v4 ? IP_TOS : IPV6_TCLASS)) {
            if (!v4) memcpy(&class, data, sizeof class);
            slot->ecn = class & 3;
        }
    }
}

/* Sending failed. Returns whether to try again: when the socket has room in time, or when our address was gone. */
static bool try_again(size_t i, underpass_slot *slot, int fd) {
    if (errno == EINTR || errno == EAGAIN)
        return poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, PATIENCE) > 0;
    bool is_lost = slot->path.local.family == UNDERPASS_FAMILY_NONE;
    uint32_t kind = is_lost ? UNDERPASS_SEND_ERROR_OTHER : UNDERPASS_SEND_ERROR_NO_SOURCE;
    if (slot->peer != 0) /* a cookie reply goes to no peer */
        must(underpass_tunnel_handle_send_error(tunnel, slot->peer, &slot->path, is_lost ? slot->len : 0, kind), "send error");
    if (is_lost) return false;
    slot->path.local.family = UNDERPASS_FAMILY_NONE;
    address_message(i, slot);
    return true;
}

/* Sends the datagrams among the first `count` slots, those of one family in one call. */
static void send_datagrams(size_t count) {
    for (int source = UDP4; source <= UDP6; source++) {
        underpass_slot *which[BATCH];
        unsigned ready = 0, sent = 0;
        for (underpass_slot *slot = slots; slot < slots + count; slot++) {
            bool is_ours = (slot->path.remote.family == UNDERPASS_FAMILY_IPV4) == (source == UDP4);
            if (is_ours && (slot->verdict == UNDERPASS_VERDICT_SEND || slot->verdict == UNDERPASS_VERDICT_REPLY))
                address_message(ready, slot), which[ready++] = slot;
        }
        while (sent < ready) {
            int done = sendmmsg(watched[source].fd, messages + sent, ready - sent, 0);
            if (done > 0)
                sent += (unsigned)done;
            else if (!try_again(sent, which[sent], watched[source].fd))
                sent++; /* lost, as on any network; the next may have another destination */
        }
    }
}

/* Writes the packets among the first `count` slots to the interface. One that it does not take is lost. */
static void deliver_packets(size_t count) {
    for (underpass_slot *slot = slots; slot < slots + count; slot++)
        if (slot->verdict == UNDERPASS_VERDICT_DELIVER || slot->verdict == UNDERPASS_VERDICT_BOUNCE)
            if (write(watched[INTERFACE].fd, slot->buf + slot->start, slot->len) < 0) refused++;
}

/* Interface to network: what waits is read, at most a batch, sealed where it lies in one call, and sent. */
static void carry_out(uint64_t t) {
    size_t count = 0;
    for (; count < BATCH; count++) {
        underpass_slot *slot = fresh(count, UNDERPASS_HEADROOM);
        uint32_t room = place - UNDERPASS_HEADROOM - UNDERPASS_TAILROOM;
        ssize_t len = read(watched[INTERFACE].fd, slot->buf + slot->start, room);
        if (len < 0) break;
        slot->len = (uint32_t)len;
    }
    need(count == 0 && errno == EBADFD ? -1 : 0, interface_name); /* somebody deleted it */
    must(underpass_tunnel_handle_packets(tunnel, t, slots, count), "packets");
    send_datagrams(count);
    deliver_packets(count);
}

/* Network to interface: likewise. */
static void carry_in(int source, uint64_t t) {
    for (size_t i = 0; i < BATCH; i++) envelop(i, fresh(i, 0)->buf, place);
    int received = recvmmsg(watched[source].fd, messages, BATCH, 0, NULL);
    size_t count = received > 0 ? (size_t)received : 0;
    for (size_t i = 0; i < count; i++) read_message(i, &slots[i]);
    must(underpass_tunnel_handle_datagrams(tunnel, t, slots, count), "datagrams");
    deliver_packets(count);
    send_datagrams(count);
}

/* ---- what the tunnel wants ---- */
/* A child asks the name server, which may take its time, and writes the event back into a pipe, with the address. Where
 * nothing is found nothing is answered: the tunnel asks again when it needs to. */
static void look_up(underpass_event event) {
    char host[256];
    size_t len;
    uint16_t port;
    int32_t status = underpass_tunnel_peer_endpoint_name(tunnel, event.peer, host, sizeof host, &len, &port);
    pid_t child = status == UNDERPASS_OK && lookups < LOOKUPS ? fork() : -1;
    lookups += child > 0;
    if (child != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it holds the interface and the sockets open */
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found = NULL;
    getaddrinfo(host, NULL, &hints, &found);
    while (found != NULL && watched[found->ai_family == AF_INET ? UDP4 : UDP6].fd < 0) found = found->ai_next;
    if (found == NULL) _exit(1);
    event.path.remote = from_system(found->ai_addr, found->ai_addrlen);
    event.path.remote.port = port;
    _exit(write(answers_in, &event, sizeof event) < 0);
}

/* Wakes the loop at `deadline`, never if that is never. A timer does it, for poll(2) does not count the time asleep.
 * One that is set to an earlier time is left: packets move deadlines, and a system call each would cost more. */
static void set_alarm(uint64_t deadline) {
    if (armed_for == deadline || (armed_for < deadline && deadline != UNDERPASS_NEVER)) return;
    uint64_t when = deadline == UNDERPASS_NEVER ? 0 : deadline; /* zero turns it off */
    struct itimerspec at = {.it_value = {(time_t)(when / SECOND), (long)(when % SECOND)}};
    need(timerfd_settime(watched[ALARM].fd, TFD_TIMER_ABSTIME, &at, NULL), "alarm");
    armed_for = deadline;
}

/* After every fact: does what is due, sends what is to be sent, hears what happened, and asks when to come back. */
static void drain(uint64_t t) {
    underpass_event event = {.size = sizeof event};
    uint64_t deadline;
    size_t count;
    must(underpass_tunnel_handle_timeout(tunnel, t), "timeout");
    do {
        for (count = 0; count < BATCH; count++) fresh(count, 0);
        int32_t status = underpass_tunnel_poll_transmits(tunnel, t, slots, BATCH, &count);
        if (status < 0) say("transmit: %s", underpass_strerror(status)); /* no randomness, or a place is too short */
        if (status != UNDERPASS_OK) count = 0;
        send_datagrams(count);
    } while (count == BATCH);
    while (underpass_tunnel_poll_event(tunnel, &event) == UNDERPASS_OK) {
        if (event.kind == UNDERPASS_EVENT_RESOLVE_ENDPOINT) look_up(event);
        if (event.kind == UNDERPASS_EVENT_SESSION_ESTABLISHED && t >= saved_at + MINUTE) save_floor(t);
    }
    must(underpass_tunnel_poll_timeout(tunnel, &deadline), "deadline");
    set_alarm(deadline < calm_at ? deadline : calm_at);
}

static void print_statistics(uint64_t t) {
    uint64_t peers[1024], drops[UNDERPASS_DROP_REASONS] = {0};
    size_t count = 0, reasons = 0;
    char key[UNDERPASS_BASE64_LEN];
    if (underpass_tunnel_peers(tunnel, peers, sizeof peers / sizeof *peers, &count) < 0) count = 0;
    for (size_t i = 0; i < count; i++) {
        underpass_peer_info peer = {.size = sizeof peer};
        must(underpass_tunnel_peer(tunnel, t, peers[i], &peer), "peer");
        must(underpass_key_to_base64(peer.public_key, key, sizeof key), "key");
        say("peer %s: %llu handshakes, %llu bytes received, %llu sent", key, (unsigned long long)peer.handshakes,
            (unsigned long long)peer.rx_bytes, (unsigned long long)peer.tx_bytes);
    }
    if (refused > 0) say("the interface refused %d packets", refused);
    must(underpass_tunnel_drops(tunnel, drops, UNDERPASS_DROP_REASONS, &reasons), "drops");
    for (uint32_t i = 0; i < UNDERPASS_DROP_REASONS; i++)
        if (drops[i] > 0) say("dropped %s: %llu", underpass_drop_reason_name(i), (unsigned long long)drops[i]);
}

/* Returns whether to go on. */
static bool obey(uint64_t t) {
    struct signalfd_siginfo signal = {0};
    if (read(watched[SIGNALS].fd, &signal, sizeof signal) > 0 && signal.ssi_signo == SIGUSR1) print_statistics(t);
    if (signal.ssi_signo == SIGHUP) {
        underpass_config *config = read_config();
        int32_t status = underpass_tunnel_apply_config(tunnel, t, config);
        say("%s: %s", config_path, underpass_strerror(status));
        if (status >= 0) must(underpass_tunnel_set_mtu(tunnel, t, mtu), "MTU"), set_routes(config);
        underpass_config_free(config);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) lookups--;
    return signal.ssi_signo != SIGTERM && signal.ssi_signo != SIGINT && signal.ssi_signo != SIGQUIT;
}

/* One round: waits, tells the tunnel what happened, and does what it wants. Returns whether to go on. */
static bool turn(void) {
    uint64_t rings;
    underpass_event answer;
    need(poll(watched, SOURCES, -1) < 0 && errno != EINTR ? -1 : 0, "poll");
    uint64_t t = read_clock(CLOCK_BOOTTIME);
    if (t >= wall_read_at + MINUTE) /* somebody may set it; handshakes alone need it, and never sleep through them */
        must(underpass_tunnel_handle_wall_clock(tunnel, wall_read_at = t, read_clock(CLOCK_REALTIME)), "wall clock");
    if (watched[INTERFACE].revents) carry_out(t);
    for (int source = UDP4; source <= UDP6; source++)
        if (watched[source].revents) carry_in(source, t);
    if (watched[ALARM].revents && read(watched[ALARM].fd, &rings, sizeof rings) > 0) armed_for = UNDERPASS_NEVER;
    /* An address or route came or went, or too many to be told (ENOBUFS): the tunnel hears when the burst is over. */
    while (watched[NETWORK].revents && (recv(watched[NETWORK].fd, &rings, sizeof rings, 0) > 0 || errno == ENOBUFS))
        calm_at = t + CALM;
    if (calm_at <= t) must(underpass_tunnel_handle_network_change(tunnel, t), "network change"), calm_at = UNDERPASS_NEVER;
    while (watched[ANSWERS].revents && read(watched[ANSWERS].fd, &answer, sizeof answer) == sizeof answer)
        if (underpass_tunnel_set_endpoint(tunnel, t, answer.peer, &answer.path.remote) < 0) say("a peer went meanwhile");
    bool goes_on = !watched[SIGNALS].revents || obey(t);
    drain(t);
    return goes_on;
}

static void open_all(const char *name, const underpass_interface *wanted) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK};
    uint16_t port = wanted->listen_port;
    int ends[2];
    sigset_t signals;
    for (int i = 0; i < SOURCES; i++) watched[i].events = POLLIN;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    watched[INTERFACE].fd = need(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "/dev/net/tun");
    need(ioctl(watched[INTERFACE].fd, TUNSETIFF, &request), name);
    memcpy(interface_name, request.ifr_name, sizeof interface_name);
    watched[UDP4].fd = open_socket(true, &port, wanted->fwmark);
    watched[UDP6].fd = open_socket(false, &port, wanted->fwmark);
    watched[ALARM].fd = need(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC), "alarm");
    groups.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    watched[NETWORK].fd = need(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE), "netlink");
    need(bind(watched[NETWORK].fd, (struct sockaddr *)&groups, sizeof groups), "netlink");
    sigfillset(&signals);
    need(sigprocmask(SIG_BLOCK, &signals, NULL), "signals");
    watched[SIGNALS].fd = need(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC), "signals");
    need(pipe2(ends, O_NONBLOCK | O_CLOEXEC), "pipe");
    watched[ANSWERS].fd = ends[0], answers_in = ends[1];
}

int main(int argc, char **argv) {
    int first = argc > 2 && strcmp(argv[1], "-s") == 0 ? 3 : 1;
    if (argc != first + 2) return fputs("usage: router [-s STATE] IFACE CONFIG\n", stderr), 2;
    state_path = first == 3 ? argv[2] : NULL, config_path = argv[first + 1];
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1); /* whose `ip` is run as root is ours to say */
    prctl(PR_SET_DUMPABLE, 0);                          /* no keys in core dumps */
    underpass_config *config = read_config();
    if (config == NULL) return 1;
    underpass_interface wanted = {.size = sizeof wanted};
    underpass_options options;
    must(underpass_options_init(&options, sizeof options), "options");
    if (state_path != NULL) load_floor(options.timestamp_floor);
    must(underpass_config_interface(config, &wanted), config_path);
    uint64_t t = wall_read_at = read_clock(CLOCK_BOOTTIME), wall = read_clock(CLOCK_REALTIME);
    must(underpass_tunnel_new_from_config(config, &options, t, wall, &tunnel), config_path);
    underpass_wipe(wanted.private_key, sizeof wanted.private_key);
    /* Room for datagrams of peers whose MTU is the usual one, and to see that a packet is too long. */
    mtu = wanted.mtu;
    place = ((mtu > 1500 ? mtu : 1500) + UNDERPASS_HEADROOM + UNDERPASS_TAILROOM + 64) & ~63u;
    if ((slab = calloc(BATCH, place)) == NULL) need(-1, "memory");
    open_all(argv[first], &wanted);
    set_up_interface(config, &wanted);
    underpass_config_free(config);
    drain(t);
    while (turn()) {}
    save_floor(read_clock(CLOCK_BOOTTIME));
    return underpass_tunnel_free(tunnel) < 0;
}
