/* Begin, crypt, finish: the same as in one call, with the middle on any thread. */
#include "scene.h"

#include <pthread.h>
#include <stdlib.h>

enum { SLOTS = 64 };

static underpass_slot slots[SLOTS];
static underpass_job jobs[SLOTS];

/* A share of a batch, for one thread. */
typedef struct share {
    underpass_slot *slots;
    underpass_job *jobs;
    size_t len;
    int32_t status;
} share;

static void *crypt_share(void *argument)
{
    share *own = (share *)argument;
    own->status = underpass_jobs_crypt(own->slots, own->jobs, own->len);
    return NULL;
}

/* Crypts the batch on four threads. */
static void crypt_on_threads(void)
{
    enum { THREADS = 4, EACH = SLOTS / THREADS };
    pthread_t threads[THREADS];
    share shares[THREADS];
    size_t at;
    for (at = 0; at < THREADS; at++) {
        shares[at].slots = slots + at * EACH;
        shares[at].jobs = jobs + at * EACH;
        shares[at].len = EACH;
        EQ(pthread_create(&threads[at], NULL, crypt_share, &shares[at]), 0);
    }
    for (at = 0; at < THREADS; at++) EQ(pthread_join(threads[at], NULL), 0);
    for (at = 0; at < THREADS; at++) OK(shares[at].status);
}

static void fill_slots(void)
{
    size_t at;
    memset(jobs, 0, sizeof jobs);
    for (at = 0; at < SLOTS; at++) slots[at] = packet_slot(1, 2, 60 + at * 20, (uint8_t)at);
}

TEST(crypting_runs_on_any_thread)
{
    scene scene;
    uint8_t packet[2048];
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    fill_slots();
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, slots, jobs, SLOTS));
    for (at = 0; at < SLOTS; at++) EQ(slots[at].verdict, UNDERPASS_VERDICT_PENDING);
    crypt_on_threads();
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, slots, jobs, SLOTS));
    for (at = 0; at < SLOTS; at++) {
        EQ(slots[at].verdict, UNDERPASS_VERDICT_SEND);
        EQ(slots[at].peer, scene.left.peer);
        EQ(slots[at].path.remote.ip[3], 2);
        slots[at].path = path_of(1);
    }
    OK(underpass_tunnel_begin_datagrams(scene.right.tunnel, scene.now, slots, jobs, SLOTS));
    for (at = 0; at < SLOTS; at++) EQ(slots[at].verdict, UNDERPASS_VERDICT_PENDING);
    crypt_on_threads();
    OK(underpass_tunnel_finish_datagrams(scene.right.tunnel, scene.now, slots, jobs, SLOTS));
    for (at = 0; at < SLOTS; at++) {
        EQ(slots[at].verdict, UNDERPASS_VERDICT_DELIVER);
        EQ(slots[at].len, 60 + at * 20);
        write_packet(packet, 1, 2, slots[at].len, (uint8_t)at);
        SAME(slot_bytes(&slots[at]), packet, slots[at].len);
    }
    free_slots(slots, SLOTS);
    scene_close(&scene);
}

/* Whether a job still holds anything. */
static int is_empty(const underpass_job *job)
{
    static const underpass_job empty;
    return memcmp(job, &empty, sizeof empty) == 0;
}

/* A host that fills its buffers again too early: what would go out is a packet in cleartext. */
TEST(a_buffer_filled_again_before_the_end_is_refused)
{
    scene scene;
    underpass_slot slot, before;
    underpass_job job;
    uint8_t wanted[8];
    scene_open(&scene);
    scene_shake(&scene);
    memset(&job, 0, sizeof job);
    slot = packet_slot(1, 2, 100, 1);
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_PENDING);
    memcpy(wanted, slot.buf, sizeof wanted);
    memset(slot.buf, 0x45, sizeof wanted);
    EQ(underpass_jobs_crypt(&slot, &job, 1), UNDERPASS_E_JOB);
    memcpy(slot.buf, wanted, sizeof wanted);
    OK(underpass_jobs_crypt(&slot, &job, 1));
    memset(slot.buf, 0x45, sizeof wanted);
    before = slot;
    EQ(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, &slot, &job, 1), UNDERPASS_E_JOB);
    SAME(&slot, &before, sizeof slot);
    memcpy(slot.buf, wanted, sizeof wanted);
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
    free_slots(&slot, 1);
    scene_close(&scene);
}

TEST(finished_and_discarded_jobs_hold_nothing)
{
    scene scene;
    size_t at;
    scene_open(&scene);
    scene_shake(&scene);
    fill_slots();
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, slots, jobs, SLOTS));
    for (at = 0; at < SLOTS; at++) CHECK(!is_empty(&jobs[at]));
    OK(underpass_jobs_crypt(slots, jobs, SLOTS));
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, slots, jobs, SLOTS));
    for (at = 0; at < SLOTS; at++) CHECK(is_empty(&jobs[at]));
    free_slots(slots, SLOTS);
    fill_slots();
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, slots, jobs, SLOTS));
    OK(underpass_jobs_discard(jobs, SLOTS));
    for (at = 0; at < SLOTS; at++) CHECK(is_empty(&jobs[at]));
    OK(underpass_jobs_discard(jobs, SLOTS));
    free_slots(slots, SLOTS);
    scene_close(&scene);
}

TEST(what_needs_no_crypt_is_decided_at_once)
{
    scene scene;
    underpass_slot few[3];
    underpass_job own[3];
    size_t at;
    memset(own, 0, sizeof own);
    scene_open(&scene);
    scene_shake(&scene);
    few[0] = packet_slot(1, 9, 100, 0);
    few[1] = packet_slot(1, 2, 100, 0);
    few[2] = packet_slot(1, 2, 100, 0);
    few[2].len = 3;
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, few, own, 3));
    EQ(few[0].verdict, UNDERPASS_VERDICT_BOUNCE);
    EQ(few[1].verdict, UNDERPASS_VERDICT_PENDING);
    EQ(few[2].verdict, UNDERPASS_VERDICT_DROPPED);
    OK(underpass_jobs_crypt(few, own, 3));
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, few, own, 3));
    EQ(few[0].verdict, UNDERPASS_VERDICT_BOUNCE);
    EQ(few[0].reason, UNDERPASS_DROP_NO_ROUTE);
    EQ(few[1].verdict, UNDERPASS_VERDICT_SEND);
    EQ(few[2].verdict, UNDERPASS_VERDICT_DROPPED);
    EQ(few[2].reason, UNDERPASS_DROP_MALFORMED_PACKET);
    for (at = 0; at < 3; at++) CHECK(is_empty(&own[at]));
    free_slots(few, 3);
    scene_close(&scene);
}

TEST(a_job_is_used_once_and_for_its_own_direction)
{
    scene scene;
    underpass_slot slot, before;
    underpass_job job;
    memset(&job, 0, sizeof job);
    scene_open(&scene);
    scene_shake(&scene);
    slot = packet_slot(1, 2, 100, 0);
    /* A slot that waits without a job. */
    slot.verdict = UNDERPASS_VERDICT_PENDING;
    before = slot;
    STATUS(UNDERPASS_E_JOB, underpass_jobs_crypt(&slot, &job, 1));
    STATUS(UNDERPASS_E_JOB, underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    STATUS(UNDERPASS_E_JOB, underpass_tunnel_finish_datagrams(scene.left.tunnel, scene.now, &slot, &job, 1));
    SAME(&slot, &before, sizeof slot);
    CHECK(is_empty(&job));
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_PENDING);
    STATUS(UNDERPASS_E_JOB, underpass_tunnel_finish_datagrams(scene.left.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_PENDING);
    OK(underpass_jobs_crypt(&slot, &job, 1));
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
    /* It is done, and its slot with it: there is nothing to do again. */
    before = slot;
    OK(underpass_jobs_crypt(&slot, &job, 1));
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    SAME(&slot, &before, sizeof slot);
    slot.verdict = UNDERPASS_VERDICT_PENDING;
    before = slot;
    STATUS(UNDERPASS_E_JOB, underpass_jobs_crypt(&slot, &job, 1));
    STATUS(UNDERPASS_E_JOB, underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    SAME(&slot, &before, sizeof slot);
    free(slot.buf);
    scene_close(&scene);
}

TEST(a_job_that_was_not_crypted_is_not_finished)
{
    scene scene;
    underpass_slot slot, before;
    underpass_job job;
    memset(&job, 0, sizeof job);
    scene_open(&scene);
    scene_shake(&scene);
    slot = packet_slot(1, 2, 100, 0);
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    before = slot;
    STATUS(UNDERPASS_E_JOB, underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    SAME(&slot, &before, sizeof slot);
    /* Twice is harmless: it is sealed once. */
    OK(underpass_jobs_crypt(&slot, &job, 1));
    OK(underpass_jobs_crypt(&slot, &job, 1));
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_SEND);
    EQ(hand_over(&scene.right, scene.now, slot_bytes(&slot), slot.len, 1), UNDERPASS_VERDICT_DELIVER);
    free(slot.buf);
    scene_close(&scene);
}

/* A job belongs to its tunnel, its slot's buffer and its place in memory. */
TEST(a_job_of_another_is_refused)
{
    scene scene;
    underpass_slot slots[2];
    underpass_job own[2], moved;
    memset(own, 0, sizeof own);
    scene_open(&scene);
    scene_shake(&scene);
    slots[0] = packet_slot(1, 2, 100, 0);
    slots[1] = packet_slot(1, 2, 100, 0);
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, slots, own, 2));
    STATUS(UNDERPASS_E_JOB, underpass_jobs_crypt(&slots[0], &own[1], 1));
    memcpy(&moved, &own[0], sizeof moved);
    STATUS(UNDERPASS_E_JOB, underpass_jobs_crypt(&slots[0], &moved, 1));
    OK(underpass_jobs_crypt(slots, own, 2));
    STATUS(UNDERPASS_E_JOB, underpass_tunnel_finish_packets(scene.right.tunnel, scene.now, slots, own, 2));
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, slots, own, 2));
    EQ(slots[1].verdict, UNDERPASS_VERDICT_SEND);
    underpass_wipe(&moved, sizeof moved);
    free_slots(slots, 2);
    scene_close(&scene);
}

TEST(a_peer_that_went_away_meanwhile_is_sent_nothing)
{
    scene scene;
    underpass_slot slot;
    underpass_job job;
    uint8_t *datagram;
    size_t len;
    memset(&job, 0, sizeof job);
    scene_open(&scene);
    scene_shake(&scene);
    slot = packet_slot(1, 2, 100, 0);
    OK(underpass_tunnel_begin_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    OK(underpass_jobs_crypt(&slot, &job, 1));
    datagram = copy_of(slot.buf, slot.cap);
    OK(underpass_tunnel_remove_all_peers(scene.left.tunnel, scene.now));
    OK(underpass_tunnel_finish_packets(scene.left.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DROPPED);
    free(slot.buf);
    len = UNDERPASS_HEADROOM + 112 + 16;
    slot = datagram_slot(datagram, len, 1);
    OK(underpass_tunnel_begin_datagrams(scene.right.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_PENDING);
    OK(underpass_jobs_crypt(&slot, &job, 1));
    OK(underpass_tunnel_remove_all_peers(scene.right.tunnel, scene.now));
    OK(underpass_tunnel_finish_datagrams(scene.right.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DROPPED);
    free(slot.buf);
    free(datagram);
    scene_close(&scene);
}

/* A datagram that is forged passes begin, and nothing of it is left after finish. */
TEST(a_forged_datagram_falls_at_the_finish)
{
    scene scene;
    underpass_slot slot;
    underpass_job job;
    uint8_t *datagram;
    size_t len;
    memset(&job, 0, sizeof job);
    scene_open(&scene);
    scene_shake(&scene);
    datagram = sealed(&scene.left, scene.now, 2, 100, 0, &len);
    slot = datagram_slot(datagram, len, 9);
    slot.buf[50] ^= 1;
    OK(underpass_tunnel_begin_datagrams(scene.right.tunnel, scene.now, &slot, &job, 1));
    OK(underpass_jobs_crypt(&slot, &job, 1));
    OK(underpass_tunnel_finish_datagrams(scene.right.tunnel, scene.now, &slot, &job, 1));
    EQ(slot.verdict, UNDERPASS_VERDICT_DROPPED);
    EQ(slot.reason, UNDERPASS_DROP_BAD_TAG);
    free(slot.buf);
    EQ(hand_over(&scene.right, scene.now, datagram, len, 1), UNDERPASS_VERDICT_DELIVER);
    free(datagram);
    scene_close(&scene);
}

const check_test steps_tests[] = {
    ENTRY(a_buffer_filled_again_before_the_end_is_refused),
    ENTRY(crypting_runs_on_any_thread),
    ENTRY(finished_and_discarded_jobs_hold_nothing),
    ENTRY(what_needs_no_crypt_is_decided_at_once),
    ENTRY(a_job_is_used_once_and_for_its_own_direction),
    ENTRY(a_job_that_was_not_crypted_is_not_finished),
    ENTRY(a_job_of_another_is_refused),
    ENTRY(a_peer_that_went_away_meanwhile_is_sent_nothing),
    ENTRY(a_forged_datagram_falls_at_the_finish),
    LAST_ENTRY,
};
