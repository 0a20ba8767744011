/* The smallest program that needs the installed library to be whole: what it calls opens every part of a tunnel. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <underpass.h>

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(void)
{
    underpass_options options;
    underpass_tunnel *tunnel = NULL;
    int32_t status;

    if (underpass_version() != UNDERPASS_VERSION) {
        fprintf(stderr, "header %08x, library %08x\n", (unsigned)UNDERPASS_VERSION, (unsigned)underpass_version());
        return 1;
    }
    status = underpass_options_init(&options, sizeof options);
    if (status == 0)
        status = underpass_tunnel_new(&options, nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_REALTIME), &tunnel);
    if (status == 0)
        status = underpass_tunnel_free(tunnel);
    if (status != 0 || strlen(underpass_strerror(-1)) == 0) {
        fprintf(stderr, "status %d: %s\n", (int)status, underpass_strerror(status));
        return 1;
    }
    printf("underpass %s\n", underpass_version_string());
    return 0;
}
