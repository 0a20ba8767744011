/* Addresses as sockets have them: there and back, both families, IPv4 in IPv6. */
#include "scene.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static underpass_address read_of(const void *sockaddr, size_t len)
{
    underpass_address address;
    memset(&address, 0xee, sizeof address);
    OK(underpass_address_from_sockaddr(sockaddr, len, &address));
    return address;
}

static struct sockaddr_in v4(void)
{
    struct sockaddr_in in;
    memset(&in, 0, sizeof in);
    in.sin_family = AF_INET;
    in.sin_port = htons(51820);
    EQ(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    return in;
}

static struct sockaddr_in6 v6(const char *ip)
{
    struct sockaddr_in6 in;
    memset(&in, 0, sizeof in);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(51821);
    in.sin6_scope_id = 3;
    EQ(inet_pton(AF_INET6, ip, &in.sin6_addr), 1);
    return in;
}

TEST(an_ipv4_address_goes_there_and_back)
{
    struct sockaddr_in given = v4();
    struct sockaddr_storage back;
    underpass_address address = read_of(&given, sizeof given);
    size_t len;
    EQ(address.family, UNDERPASS_FAMILY_IPV4);
    EQ(address.port, 51820);
    EQ(address.scope_id, 0);
    SAME(address.ip, "\xc0\x00\x02\x07\0\0\0\0\0\0\0\0\0\0\0", 16);
    memset(&back, 0xee, sizeof back);
    OK(underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_NONE, &back, sizeof back, &len));
    EQ(len, sizeof given);
    SAME(&back, &given, sizeof given);
    OK(underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_IPV4, &back, sizeof back, &len));
    SAME(&back, &given, sizeof given);
}

TEST(an_ipv6_address_goes_there_and_back)
{
    struct sockaddr_in6 given = v6("fe80::1:2");
    struct sockaddr_in6 back;
    underpass_address address = read_of(&given, sizeof given);
    size_t len;
    EQ(address.family, UNDERPASS_FAMILY_IPV6);
    EQ(address.port, 51821);
    EQ(address.scope_id, 3);
    SAME(address.ip, &given.sin6_addr, 16);
    /* The flow label is no part of an endpoint. */
    given.sin6_flowinfo = htonl(12345);
    address = read_of(&given, sizeof given);
    OK(underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_IPV6, &back, sizeof back, &len));
    EQ(len, sizeof back);
    given.sin6_flowinfo = 0;
    SAME(&back, &given, sizeof back);
}

/* A socket of both families gives IPv4 as ::ffff:a.b.c.d, and wants it so. */
TEST(ipv4_in_ipv6_is_ipv4)
{
    struct sockaddr_in6 given = v6("::ffff:192.0.2.7");
    struct sockaddr_in6 back;
    underpass_address address = read_of(&given, sizeof given);
    size_t len;
    EQ(address.family, UNDERPASS_FAMILY_IPV4);
    EQ(address.port, 51821);
    EQ(address.scope_id, 0);
    SAME(address.ip, "\xc0\x00\x02\x07\0\0\0\0\0\0\0\0\0\0\0", 16);
    OK(underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_IPV6, &back, sizeof back, &len));
    EQ(len, sizeof back);
    given.sin6_scope_id = 0;
    SAME(&back, &given, sizeof back);
}

/* The memory that recvmsg() filled is longer than the address, and what is handed out may lie anywhere. */
TEST(memory_of_sockets_is_taken_as_it_comes)
{
    struct sockaddr_in given = v4();
    struct sockaddr_storage storage;
    char odd[sizeof storage + 1];
    underpass_address address;
    size_t len;
    memset(&storage, 0, sizeof storage);
    memcpy(&storage, &given, sizeof given);
    address = read_of(&storage, sizeof storage);
    EQ(address.port, 51820);
    memcpy(odd + 1, &given, sizeof given);
    EQ(read_of(odd + 1, sizeof given).port, 51820);
    OK(underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_NONE, odd + 1, sizeof storage, &len));
    SAME(odd + 1, &given, len);
}

TEST(what_is_no_address_is_refused)
{
    struct sockaddr_in six = v4();
    struct sockaddr_in6 given6 = v6("2001:db8::1");
    underpass_address address, none;
    struct sockaddr_storage out;
    size_t len = 7;
    memset(&none, 0, sizeof none);
    REFUSED(UNDERPASS_E_ARGUMENT, address, underpass_address_from_sockaddr(NULL, 0, &address));
    REFUSED(UNDERPASS_E_ARGUMENT, address, underpass_address_from_sockaddr(&six, 1, &address));
    REFUSED(UNDERPASS_E_ARGUMENT, address, underpass_address_from_sockaddr(&six, sizeof six - 1, &address));
    REFUSED(UNDERPASS_E_ARGUMENT, address, underpass_address_from_sockaddr(&given6, sizeof given6 - 1, &address));
    six.sin_family = AF_UNIX;
    REFUSED(UNDERPASS_E_ARGUMENT, address, underpass_address_from_sockaddr(&six, sizeof six, &address));
    REFUSED(UNDERPASS_E_ARGUMENT, out, underpass_address_to_sockaddr(&none, UNDERPASS_FAMILY_NONE, &out, sizeof out, &len));
    address = read_of(&given6, sizeof given6);
    REFUSED(UNDERPASS_E_ARGUMENT, out, underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_IPV4, &out, sizeof out, &len));
    REFUSED(UNDERPASS_E_ARGUMENT, out, underpass_address_to_sockaddr(&address, 5, &out, sizeof out, &len));
    EQ(len, 7);
    /* Too short: what is needed is told. */
    REFUSED(UNDERPASS_E_BUFFER, out, underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_NONE, &out, sizeof(struct sockaddr_in), &len));
    EQ(len, sizeof given6);
    len = 0;
    OK(underpass_address_to_sockaddr(&address, UNDERPASS_FAMILY_NONE, NULL, 0, &len));
    EQ(len, sizeof given6);
}

const check_test sockaddr_tests[] = {
    ENTRY(an_ipv4_address_goes_there_and_back),
    ENTRY(an_ipv6_address_goes_there_and_back),
    ENTRY(ipv4_in_ipv6_is_ipv4),
    ENTRY(memory_of_sockets_is_taken_as_it_comes),
    ENTRY(what_is_no_address_is_refused),
    LAST_ENTRY,
};
