/* A gateway for many peers on Linux: epoll, one UDP socket for both families, and threads that do the cryptography.
 *
 *     gateway [-w WORKERS] IFACE CONFIG
 *
 * CONFIG is what wg-quick reads; its peers come to us, so their endpoints may be missing, and names are not looked up. The
 * interface gets its addresses, its MTU and a route to each allowed IP by ip(8). SIGUSR1 prints statistics as JSON, a line
 * on standard output; SIGTERM and SIGINT end it. A batch goes through three steps: begun here, in order; crypted by all
 * threads, each its share of the slots; finished here, in order. router.c is the smaller program and does more beside. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <underpass.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
enum { BATCH = 128, MOST_WORKERS = 16, SOCKET_BUFFER = 4 << 20 };
enum { INTERFACE, UDP, ALARM, SIGNALS, SOURCES };

static int fds[SOURCES];
static underpass_tunnel *tunnel;
static underpass_slot slots[BATCH];
static underpass_job jobs[BATCH];
static uint8_t *slab;
static uint32_t place; /* bytes of a slot's buffer */
static uint64_t armed_for = UNDERPASS_NEVER, unsent, undelivered;

#define say(...) (fprintf(stderr, "gateway: " __VA_ARGS__), fputc('\n', stderr))

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
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* ---- the threads ---- */
/* A batch is cut into as many shares as there are threads, this one included. Each takes its own, when the round begins,
 * and the round ends when all are done: two barriers, and no lock around packets. */
static pthread_barrier_t begins, ends;
static size_t threads = 1, batch;

static void crypt_share(size_t number) {
    size_t from = batch * number / threads, to = batch * (number + 1) / threads;
    must(underpass_jobs_crypt(slots + from, jobs + from, to - from), "crypt");
}

static void *work(void *number) {
    for (;;) {
        pthread_barrier_wait(&begins);
        crypt_share((size_t)(uintptr_t)number);
        pthread_barrier_wait(&ends);
    }
    return NULL;
}

/* Crypts the first `count` slots. A few are not worth waking anybody. */
static void crypt_all(size_t count) {
    batch = count;
    if (threads == 1 || count < 4 * threads) {
        must(underpass_jobs_crypt(slots, jobs, count), "crypt");
        return;
    }
    pthread_barrier_wait(&begins);
    crypt_share(0);
    pthread_barrier_wait(&ends);
}

static void start_workers(size_t workers) {
    pthread_t thread;
    threads = workers + 1;
    pthread_barrier_init(&begins, NULL, (unsigned)threads);
    pthread_barrier_init(&ends, NULL, (unsigned)threads);
    for (size_t number = 1; number < threads; number++) {
        errno = pthread_create(&thread, NULL, work, (void *)(uintptr_t)number);
        need(errno == 0 ? 0 : -1, "threads");
        pthread_detach(thread);
    }
}

/* ---- datagrams: without ECN, which router.c has ---- */
/* One socket speaks both families: it wants IPv4 as ::ffff:a.b.c.d, and gives it so. */
static struct sockaddr_in6 to_system(const underpass_address *address) {
    struct sockaddr_in6 out;
    size_t len;
    must(underpass_address_to_sockaddr(address, UNDERPASS_FAMILY_IPV6, &out, sizeof out, &len), "address");
    return out;
}

static void send_datagram(const underpass_slot *slot) {
    const underpass_path *path = &slot->path;
    struct sockaddr_in6 to = to_system(&path->remote);
    struct in6_pktinfo from = {.ipi6_ifindex = 0};
    struct iovec part = {slot->buf + slot->start, slot->len};
    size_t control[16] = {0}; /* aligned as control messages are */
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1};
    if (path->local.family != UNDERPASS_FAMILY_NONE) {
        struct cmsghdr *header = (struct cmsghdr *)control;
        underpass_address local = {.family = path->local.family};
        memcpy(local.ip, path->local.bytes, sizeof local.ip);
        from.ipi6_addr = to_system(&local).sin6_addr;
        *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof from), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
        memcpy(CMSG_DATA(header), &from, sizeof from);
        message.msg_control = control, message.msg_controllen = CMSG_SPACE(sizeof from);
    }
    if (sendmsg(fds[UDP], &message, 0) >= 0) return;
    unsent++;
    /* The library counts it, and looks for another way where this one is gone. A cookie reply belongs to no peer. */
    uint32_t kind = errno == EINVAL || errno == EADDRNOTAVAIL      ? UNDERPASS_SEND_ERROR_NO_SOURCE
                    : errno == ENETUNREACH || errno == EHOSTUNREACH ? UNDERPASS_SEND_ERROR_UNREACHABLE
                    : errno == EMSGSIZE                             ? UNDERPASS_SEND_ERROR_TOO_BIG
                    : errno == EPERM || errno == EACCES             ? UNDERPASS_SEND_ERROR_DENIED
                                                                    : UNDERPASS_SEND_ERROR_OTHER;
    if (slot->peer != 0) must(underpass_tunnel_handle_send_error(tunnel, slot->peer, path, slot->len, kind), "send error");
}

/* Does with the first `count` slots what their verdicts say. */
static void dispatch(size_t count) {
    for (const underpass_slot *slot = slots; slot < slots + count; slot++) {
        bool is_packet = slot->verdict == UNDERPASS_VERDICT_DELIVER || slot->verdict == UNDERPASS_VERDICT_BOUNCE;
        if (slot->verdict == UNDERPASS_VERDICT_SEND || slot->verdict == UNDERPASS_VERDICT_REPLY) send_datagram(slot);
        if (is_packet && write(fds[INTERFACE], slot->buf + slot->start, slot->len) < 0) undelivered++;
    }
}

static underpass_slot *fresh(size_t i, uint32_t start) {
    slots[i] = (underpass_slot){.buf = slab + i * place, .cap = place, .start = start};
    return &slots[i];
}

static void carry_out(uint64_t now) {
    size_t count = 0;
    for (; count < BATCH; count++) {
        underpass_slot *slot = fresh(count, UNDERPASS_HEADROOM);
        ssize_t len = read(fds[INTERFACE], slot->buf + slot->start, place - UNDERPASS_HEADROOM - UNDERPASS_TAILROOM);
        if (len < 0) break;
        slot->len = (uint32_t)len;
    }
    must(underpass_tunnel_begin_packets(tunnel, now, slots, jobs, count), "packets");
    crypt_all(count);
    must(underpass_tunnel_finish_packets(tunnel, now, slots, jobs, count), "packets");
    dispatch(count);
}

/* Reads the datagram that waits into `slot`, with where it came from and which of our addresses it came to. */
static bool receive(underpass_slot *slot) {
    struct sockaddr_in6 from;
    struct iovec part = {slot->buf, slot->cap};
    size_t control[16];
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
                             .msg_control = control, .msg_controllen = sizeof control};
    ssize_t len = recvmsg(fds[UDP], &message, 0);
    if (len < 0) return false;
    slot->len = (uint32_t)len;
    must(underpass_address_from_sockaddr(&from, message.msg_namelen, &slot->path.remote), "address");
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        struct in6_pktinfo to;
        if (header->cmsg_level != IPPROTO_IPV6 || header->cmsg_type != IPV6_PKTINFO) continue;
        memcpy(&to, CMSG_DATA(header), sizeof to);
        slot->path.local.family = UNDERPASS_FAMILY_IPV6;
        memcpy(slot->path.local.bytes, &to.ipi6_addr, 16);
    }
    return true;
}

static void carry_in(uint64_t now) {
    size_t count = 0;
    while (count < BATCH && receive(fresh(count, 0))) count++;
    must(underpass_tunnel_begin_datagrams(tunnel, now, slots, jobs, count), "datagrams");
    crypt_all(count);
    must(underpass_tunnel_finish_datagrams(tunnel, now, slots, jobs, count), "datagrams");
    dispatch(count);
}

/* ---- what the tunnel wants ---- */
static void drain(uint64_t now) {
    underpass_event event = {.size = sizeof event};
    uint64_t deadline;
    size_t count;
    must(underpass_tunnel_handle_timeout(tunnel, now), "timeout");
    do {
        for (count = 0; count < BATCH; count++) fresh(count, 0);
        int32_t status = underpass_tunnel_poll_transmits(tunnel, now, slots, BATCH, &count);
        if (status < 0) say("transmit: %s", underpass_strerror(status)); /* no randomness, or a place is too short */
        if (status != UNDERPASS_OK) count = 0;
        dispatch(count);
    } while (count == BATCH);
    while (underpass_tunnel_poll_event(tunnel, &event) == UNDERPASS_OK)
        say("peer %u: %s", (unsigned)event.user, underpass_event_name(event.kind)); /* counted from 1, as in CONFIG */
    must(underpass_tunnel_poll_timeout(tunnel, &deadline), "deadline");
    if (deadline == armed_for) return;
    struct itimerspec at = {{0, 0}, {0, 0}};
    if (deadline != UNDERPASS_NEVER)
        at.it_value = (struct timespec){(time_t)(deadline / SECOND), (long)(deadline % SECOND)};
    need(timerfd_settime(fds[ALARM], TFD_TIMER_ABSTIME, &at, NULL), "alarm");
    armed_for = deadline;
}

static void print_statistics(uint64_t now) {
    underpass_stats stats = {.size = sizeof stats};
    uint64_t drops[UNDERPASS_DROP_REASONS] = {0};
    size_t count = 0, reasons;
    must(underpass_tunnel_stats(tunnel, &stats), "statistics");
    must(underpass_tunnel_drops(tunnel, drops, UNDERPASS_DROP_REASONS, &reasons), "statistics");
    printf("{\"rx_bytes\":%llu,\"tx_bytes\":%llu,\"handshakes\":%llu,\"unsent\":%llu,\"undelivered\":%llu,\"drops\":{",
           (unsigned long long)stats.rx_bytes, (unsigned long long)stats.tx_bytes, (unsigned long long)stats.handshakes,
           (unsigned long long)unsent, (unsigned long long)undelivered);
    const char *comma = "";
    for (uint32_t i = 0; i < UNDERPASS_DROP_REASONS; i++)
        if (drops[i] > 0)
            printf("%s\"%s\":%llu", comma, underpass_drop_reason_name(i), (unsigned long long)drops[i]), comma = ",";
    printf("},\"peers\":[");
    must(underpass_tunnel_peers(tunnel, NULL, 0, &count), "peers");
    underpass_peer_id *peers = calloc(count + 1, sizeof *peers);
    if (peers == NULL || underpass_tunnel_peers(tunnel, peers, count, &count) < 0) count = 0;
    for (size_t i = 0; i < count; i++) {
        underpass_peer_info peer = {.size = sizeof peer};
        char key[UNDERPASS_BASE64_LEN];
        must(underpass_tunnel_peer(tunnel, now, peers[i], &peer), "peer");
        must(underpass_key_to_base64(peer.public_key, key, sizeof key), "peer");
        printf("%s{\"number\":%llu,\"public_key\":\"%s\",\"health\":\"%s\",\"rx_bytes\":%llu,\"tx_bytes\":%llu,\"send_errors\":%llu}",
               i > 0 ? "," : "", (unsigned long long)peer.user, key, underpass_health_name(peer.health),
               (unsigned long long)peer.rx_bytes, (unsigned long long)peer.tx_bytes, (unsigned long long)peer.send_errors);
    }
    free(peers);
    printf("]}\n"), fflush(stdout);
}

/* ---- beginning ---- */
static underpass_config *read_config(const char *path) {
    static char text[1 << 20];
    underpass_config *config = NULL;
    underpass_diagnostic found = {.size = sizeof found};
    FILE *file = fopen(path, "re");
    if (file == NULL) need(-1, path);
    size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    if (len == sizeof text) say("%s is too long", path), exit(1);
    must(underpass_config_parse(text, len, &config), path);
    underpass_wipe(text, sizeof text);
    for (size_t i = 0; underpass_config_diagnostic(config, i, &found) == UNDERPASS_OK; i++)
        fprintf(stderr, "%s:%u:%u: %s: %s%s%s\n", path, found.line, found.column,
                found.severity == UNDERPASS_SEVERITY_ERROR ? "error" : "warning", found.key, *found.key ? ": " : "",
                found.reason);
    return config;
}

/* Runs `ip` with these words. No shell sees them. */
static void run_ip(char **words) {
    pid_t child;
    int status = 0;
    if ((errno = posix_spawnp(&child, "ip", NULL, NULL, words, (char *[]){NULL})) != 0) need(-1, "ip");
    waitpid(child, &status, 0);
    if (status != 0) say("ip %s %s %s ... failed", words[1], words[2], words[3]);
}

static void ip_with_network(char *object, char *verb, const underpass_ip *network, char *interface) {
    char text[INET6_ADDRSTRLEN + 4];
    inet_ntop(network->family == UNDERPASS_FAMILY_IPV6 ? AF_INET6 : AF_INET, network->bytes, text, INET6_ADDRSTRLEN);
    sprintf(text + strlen(text), "/%u", network->prefix);
    run_ip((char *[]){"ip", object, verb, text, "dev", interface, NULL});
}

/* Numbers the peers, from 1: what the tunnel tells of them then says which of CONFIG they are. */
static void number_peers(const underpass_config *config, uint64_t now) {
    underpass_peer_change peer = {.size = sizeof peer};
    for (size_t i = 0; underpass_config_peer(config, i, &peer) == UNDERPASS_OK; i++) {
        underpass_peer_change change;
        must(underpass_peer_change_init(&change, sizeof change), "peer");
        memcpy(change.public_key, peer.public_key, sizeof change.public_key);
        change.action = UNDERPASS_PEER_UPDATE, change.flags = UNDERPASS_PEER_HAS_USER, change.user = i + 1;
        must(underpass_tunnel_configure_peers(tunnel, now, &change, 1, NULL), "peer");
        underpass_wipe(peer.preshared_key, sizeof peer.preshared_key);
    }
}

static void open_all(char *name, const underpass_config *config, const underpass_interface *wanted) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(wanted->listen_port)};
    int on = 1, off = 0, room = SOCKET_BUFFER, discover = IP_PMTUDISC_DONT;
    sigset_t signals;
    underpass_ip address;
    underpass_peer_change peer = {.size = sizeof peer};
    char mtu[16];
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    fds[INTERFACE] = need(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "/dev/net/tun");
    need(ioctl(fds[INTERFACE], TUNSETIFF, &request), name);
    fds[UDP] = need(socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "UDP");
    need(setsockopt(fds[UDP], IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), "both families");
    need(setsockopt(fds[UDP], IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on), "packet information");
    need(setsockopt(fds[UDP], IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover), "fragments");
    setsockopt(fds[UDP], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    setsockopt(fds[UDP], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    need(bind(fds[UDP], (struct sockaddr *)&any, sizeof any), "ListenPort");
    fds[ALARM] = need(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC), "alarm");
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1), sigaddset(&signals, SIGTERM), sigaddset(&signals, SIGINT);
    need(sigprocmask(SIG_BLOCK, &signals, NULL), "signals"); /* before there are threads, which inherit it */
    fds[SIGNALS] = need(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC), "signals");
    for (size_t i = 0; underpass_config_address(config, i, &address) == UNDERPASS_OK; i++)
        ip_with_network("address", "add", &address, name);
    sprintf(mtu, "%u", wanted->mtu);
    run_ip((char *[]){"ip", "link", "set", "mtu", mtu, "up", "dev", name, NULL});
    for (size_t i = 0; underpass_config_peer(config, i, &peer) == UNDERPASS_OK; i++)
        for (size_t j = 0; j < peer.allowed_ips_len; j++)
            if (peer.allowed_ips[j].network.prefix > 0) ip_with_network("route", "replace", &peer.allowed_ips[j].network, name);
}

static void serve(void) {
    int loop = need(epoll_create1(EPOLL_CLOEXEC), "epoll");
    for (uint32_t source = 0; source < SOURCES; source++) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = source};
        need(epoll_ctl(loop, EPOLL_CTL_ADD, fds[source], &wanted), "epoll");
    }
    for (;;) {
        struct epoll_event happened[SOURCES];
        struct signalfd_siginfo signal = {0};
        uint64_t rings;
        int count = epoll_wait(loop, happened, SOURCES, -1);
        need(count < 0 && errno != EINTR ? -1 : 0, "epoll");
        uint64_t now = read_clock(CLOCK_BOOTTIME);
        for (int i = 0; i < count; i++) {
            uint32_t source = happened[i].data.u32;
            if (source == INTERFACE) carry_out(now);
            if (source == UDP) carry_in(now);
            if (source == ALARM && read(fds[ALARM], &rings, sizeof rings) > 0) armed_for = UNDERPASS_NEVER;
            if (source == SIGNALS && read(fds[SIGNALS], &signal, sizeof signal) > 0 && signal.ssi_signo == SIGUSR1)
                print_statistics(now);
            if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT) return;
        }
        drain(now);
    }
}

int main(int argc, char **argv) {
    bool is_told = argc == 5 && strcmp(argv[1], "-w") == 0;
    if (!is_told && argc != 3) return fputs("usage: gateway [-w WORKERS] IFACE CONFIG\n", stderr), 2;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN), workers = is_told ? strtol(argv[2], NULL, 10) : cpus - 1;
    if (workers < 0 || workers > MOST_WORKERS) workers = workers < 0 ? 0 : MOST_WORKERS;
    char *name = argv[argc - 2];
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1); /* whose `ip` is run as root is ours to say */
    prctl(PR_SET_DUMPABLE, 0);                          /* no keys in core dumps */
    underpass_config *config = read_config(argv[argc - 1]);
    underpass_interface wanted = {.size = sizeof wanted};
    underpass_layout layout = {.size = sizeof layout};
    uint64_t now = read_clock(CLOCK_BOOTTIME);
    must(underpass_config_interface(config, &wanted), argv[argc - 1]);
    underpass_wipe(wanted.private_key, sizeof wanted.private_key);
    must(underpass_tunnel_new_from_config(config, NULL, now, read_clock(CLOCK_REALTIME), &tunnel), argv[argc - 1]);
    number_peers(config, now);
    must(underpass_tunnel_layout(tunnel, &layout), "layout");
    /* Room for datagrams of peers whose MTU is the usual one as well. */
    place = ((layout.transmit_buffer > 1600 ? layout.transmit_buffer : 1600) + 63) & ~63u;
    if ((slab = calloc(BATCH, place)) == NULL) need(-1, "memory");
    open_all(name, config, &wanted);
    underpass_config_free(config);
    start_workers((size_t)workers);
    drain(now);
    serve();
    return underpass_tunnel_free(tunnel) < 0;
}
