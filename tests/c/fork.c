/* Processes that fork: parent and child have the same keys, and only one may use them. */
#define _GNU_SOURCE
#include "scene.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child found: 0 is well, else the line of the check that failed. */
#define WELL(condition) \
    do { \
        if (!(condition)) return __LINE__; \
    } while (0)

/* Seals one packet from left to right. */
static int32_t seal_one(scene *scene)
{
    underpass_slot slot = packet_slot(1, 2, 100, 1);
    int32_t status = underpass_tunnel_handle_packets(scene->left.tunnel, scene->now, &slot, 1);
    free_slots(&slot, 1);
    return status == UNDERPASS_OK ? slot.verdict : status;
}

/* In the child: no key of the parent is used, and both sides, which are copies too, find together again. */
static int in_child(scene *scene, underpass_slot *slot, underpass_job *job)
{
    underpass_stats stats;
    /* Not even before the tunnel has noticed. */
    WELL(underpass_jobs_crypt(slot, job, 1) == UNDERPASS_E_JOB);
    WELL(seal_one(scene) == UNDERPASS_VERDICT_STAGED);
    WELL(underpass_jobs_crypt(slot, job, 1) == UNDERPASS_E_JOB);
    WELL(underpass_tunnel_finish_packets(scene->left.tunnel, scene->now, slot, job, 1) == UNDERPASS_E_JOB);
    scene_pass(scene, scene->now + 11 * SECOND, 0);
    WELL(seal_one(scene) == UNDERPASS_VERDICT_SEND);
    stats.size = sizeof stats;
    WELL(underpass_tunnel_stats(scene->right.tunnel, &stats) == UNDERPASS_OK);
    WELL(stats.rx_packets == 1);
    WELL(underpass_tunnel_free(scene->left.tunnel) == UNDERPASS_OK);
    WELL(underpass_tunnel_free(scene->right.tunnel) == UNDERPASS_OK);
    return 0;
}

/* The line at which a child failed, handed back through a pipe; 0: none. */
static int line_of(int from, pid_t child)
{
    int line = -1, status;
    EQ(read(from, &line, sizeof line), (ssize_t)sizeof line);
    close(from);
    if (child > 0) EQ(waitpid(child, &status, 0), child);
    return line;
}

static void tell(int to, int line)
{
    _exit(write(to, &line, sizeof line) == (ssize_t)sizeof line ? 0 : 1);
}

/* A scene with a session, and a job that was begun and crypted. */
static void prepare(scene *scene, underpass_slot *slot, underpass_job *job)
{
    scene_open(scene);
    scene_shake(scene);
    memset(job, 0, sizeof *job);
    *slot = packet_slot(1, 2, 100, 1);
    OK(underpass_tunnel_begin_packets(scene->left.tunnel, scene->now, slot, job, 1));
    OK(underpass_jobs_crypt(slot, job, 1));
}

static void conclude(scene *scene, underpass_slot *slot, underpass_job *job)
{
    /* The parent goes on as if nothing had happened. */
    OK(underpass_tunnel_finish_packets(scene->left.tunnel, scene->now, slot, job, 1));
    EQ(slot->verdict, UNDERPASS_VERDICT_SEND);
    EQ(seal_one(scene), UNDERPASS_VERDICT_SEND);
    free_slots(slot, 1);
    scene_close(scene);
}

typedef pid_t (*forking)(void);

/* Parts as `how` says. The child, which goes into the background first if it is to be a daemon, tells what it found. */
static void part(forking how, int is_daemon)
{
    scene scene;
    underpass_slot slot;
    underpass_job job;
    int ends[2];
    pid_t child;
    prepare(&scene, &slot, &job);
    EQ(pipe(ends), 0);
    child = how();
    CHECK(child >= 0);
    if (child == 0) tell(ends[1], is_daemon && daemon(1, 1) != 0 ? __LINE__ : in_child(&scene, &slot, &job));
    close(ends[1]);
    EQ(line_of(ends[0], child), 0);
    conclude(&scene, &slot, &job);
}

static pid_t raw_clone(void)
{
#if defined(__s390x__)
    return (pid_t)syscall(SYS_clone, NULL, SIGCHLD);
#else
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL);
#endif
}

TEST(the_child_of_a_fork_uses_no_key_of_its_parent)
{
    part(fork, 0);
}

/* No library function stands between: what watches fork() with pthread_atfork() does not see this. */
TEST(the_child_of_a_raw_clone_uses_no_key_of_its_parent)
{
    part(raw_clone, 0);
}

/* A router that sets its tunnel up and then goes into the background, on the second side of two forks at that. */
TEST(a_router_that_becomes_a_daemon_goes_on)
{
    part(fork, 1);
}

typedef struct inside {
    scene *scene;
    int entered, leave;
} inside;

/* A source of randomness that holds its call until it is told. */
static int32_t hold(void *data, uint8_t *out, size_t len)
{
    inside *own = (inside *)data;
    memset(out, __atomic_add_fetch(&own->entered, 1, __ATOMIC_SEQ_CST), len);
    while (own->scene != NULL && !__atomic_load_n(&own->leave, __ATOMIC_SEQ_CST)) sched_yield();
    return 0;
}

static void *poll_it(void *argument)
{
    inside *own = (inside *)argument;
    underpass_transmit transmit;
    uint8_t buf[TRANSMIT_BUFFER];
    transmit.size = sizeof transmit;
    check_note(underpass_tunnel_poll_transmit(own->scene->right.tunnel, own->scene->now, buf, sizeof buf, &transmit));
    return NULL;
}

/* A thread was inside when another one forked: in the child it will never come out. */
TEST(a_tunnel_that_was_busy_in_the_parent_is_poisoned_in_the_child)
{
    scene scene;
    inside inside = { NULL, 0, 0 };
    underpass_options options;
    pthread_t thread;
    int ends[2], before;
    pid_t child;
    OK(underpass_options_init(&options, sizeof options));
    options.entropy = hold;
    options.entropy_data = &inside;
    scene_open_with(&scene, &options);
    OK(underpass_tunnel_connect(scene.right.tunnel, scene.now, scene.right.peer));
    before = inside.entered;
    inside.scene = &scene;
    EQ(pthread_create(&thread, NULL, poll_it, &inside), 0);
    while (__atomic_load_n(&inside.entered, __ATOMIC_SEQ_CST) == before) sched_yield();
    EQ(pipe(ends), 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int32_t answer = underpass_tunnel_handle_timeout(scene.right.tunnel, scene.now);
        int line = answer == UNDERPASS_E_POISONED ? 0 : __LINE__;
        if (line == 0 && underpass_tunnel_free(scene.right.tunnel) != UNDERPASS_OK) line = __LINE__;
        tell(ends[1], line);
    }
    close(ends[1]);
    EQ(underpass_tunnel_handle_timeout(scene.right.tunnel, scene.now), UNDERPASS_E_BUSY);
    __atomic_store_n(&inside.leave, 1, __ATOMIC_SEQ_CST);
    EQ(pthread_join(thread, NULL), 0);
    EQ(line_of(ends[0], child), 0);
    OK(underpass_tunnel_handle_timeout(scene.right.tunnel, scene.now));
    scene_close(&scene);
}

const check_test fork_tests[] = {
    ENTRY(the_child_of_a_fork_uses_no_key_of_its_parent),
    ENTRY(the_child_of_a_raw_clone_uses_no_key_of_its_parent),
    ENTRY(a_router_that_becomes_a_daemon_goes_on),
    ENTRY(a_tunnel_that_was_busy_in_the_parent_is_poisoned_in_the_child),
    LAST_ENTRY,
};
