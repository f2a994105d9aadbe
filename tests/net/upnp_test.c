// A UPnP device of our own on loopback, honest or not, and the process that asks it.
#include "loop.h"

#include <limits.h>
#include <stdio.h>

#include "core/base/base.h"
#include "net/addr.h"
#include "net/portmap.h"
#include "net/upnp.h"

// ---- a device ----

struct device {
    uv_tcp_t tcp;
    uint16_t port;
    bool closed;
    unsigned open; // connections
    // how it behaves
    unsigned version;     // of its WANIPConnection service; 0: it has none
    unsigned errors[4];   // what AddPortMapping answers first; then it works
    const char *ip;       // outside
    const char *control;  // URL of the service, in place of its own
    const char *reserved; // what AddAnyPortMapping gives
    bool endless, mute;
    // what was asked
    unsigned described, added, deleted, asked_ip;
    char last[4096];
};

struct visit {
    uv_tcp_t tcp;
    uv_write_t write;
    struct device *device;
    size_t len;
    char in[4096], out[4096];
};

static void on_visit_closed(uv_handle_t *handle)
{
    struct visit *visit = handle->data;
    visit->device->open--;
    free(visit);
}

static void leave(struct visit *visit)
{
    if (!uv_is_closing((uv_handle_t *)&visit->tcp))
        uv_close((uv_handle_t *)&visit->tcp, on_visit_closed);
}

static void on_written(uv_write_t *write, int status)
{
    leave(write->data);
}

static void go_on_writing(uv_write_t *write, int status)
{
    struct visit *visit = write->data;
    uv_buf_t buf = uv_buf_init(visit->out, sizeof visit->out);

    if (status != 0 ||
        uv_write(&visit->write, (uv_stream_t *)&visit->tcp, &buf, 1, go_on_writing) != 0)
        leave(visit);
}

static void answer(struct visit *visit, unsigned code, const char *body)
{
    const int len = snprintf(visit->out, sizeof visit->out,
                             "HTTP/1.1 %u X\r\nContent-Type: text/xml\r\nContent-Length: %zu\r\n"
                             "Connection: close\r\n\r\n%s",
                             code, strlen(body), body);
    uv_buf_t buf = uv_buf_init(visit->out, (unsigned)len);

    assert_int_equal(uv_write(&visit->write, (uv_stream_t *)&visit->tcp, &buf, 1, on_written), 0);
}

static void describe(struct visit *visit)
{
    struct device *d = visit->device;
    char body[2048];

    d->described++;
    snprintf(body, sizeof body,
             "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device>"
             "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>"
             "<serviceList><service><serviceType>urn:schemas-upnp-org:service:%s:%u</serviceType>"
             "<serviceId>urn:upnp-org:serviceId:X</serviceId><controlURL>%s</controlURL>"
             "<eventSubURL>/e</eventSubURL><SCPDURL>/s</SCPDURL></service></serviceList>"
             "</device></root>",
             d->version != 0 ? "WANIPConnection" : "Printer", YR_MAX(d->version, 1u),
             d->control != NULL ? d->control : "/control");
    answer(visit, 200, body);
}

static void soap(struct visit *visit, unsigned code, const char *inner)
{
    char body[2048];

    snprintf(body, sizeof body,
             "<?xml version=\"1.0\"?><s:Envelope "
             "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>%s</s:Body>"
             "</s:Envelope>",
             inner);
    answer(visit, code, body);
}

static void control(struct visit *visit)
{
    struct device *d = visit->device;
    char inner[512];

    memcpy(d->last, visit->in, sizeof d->last);
    if (strstr(visit->in, "GetExternalIPAddress") != NULL) {
        d->asked_ip++;
        snprintf(inner, sizeof inner,
                 "<u:R xmlns:u=\"x\"><NewExternalIPAddress>%s</NewExternalIPAddress></u:R>", d->ip);
        soap(visit, 200, inner);
    } else if (strstr(visit->in, "DeletePortMapping") != NULL) {
        d->deleted++;
        soap(visit, 200, "<u:DeletePortMappingResponse xmlns:u=\"x\"/>");
    } else if (d->added < YR_COUNT(d->errors) && d->errors[d->added] != 0) {
        snprintf(inner, sizeof inner,
                 "<s:Fault><detail><UPnPError><errorCode>%u</errorCode></UPnPError></detail>"
                 "</s:Fault>",
                 d->errors[d->added]);
        d->added++;
        soap(visit, 500, inner);
    } else {
        d->added++;
        snprintf(inner, sizeof inner,
                 "<u:R xmlns:u=\"x\"><NewReservedPort>%s</NewReservedPort></u:R>",
                 d->reserved != NULL ? d->reserved : "");
        soap(visit, 200, inner);
    }
}

static void on_room(uv_handle_t *handle, size_t want, uv_buf_t *buf)
{
    struct visit *visit = handle->data;
    *buf = uv_buf_init(visit->in + visit->len, (unsigned)(sizeof visit->in - 1 - visit->len));
}

static void on_request(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct visit *visit = stream->data;
    const char *body, *length;

    if (count < 0) {
        leave(visit);
        return;
    }
    visit->len += (size_t)count;
    visit->in[visit->len] = '\0';
    body = strstr(visit->in, "\r\n\r\n");
    length = strcasestr(visit->in, "Content-Length:");
    if (body == NULL || (length != NULL && (size_t)(visit->in + visit->len - body - 4) <
                                               strtoul(length + 15, NULL, 10)))
        return;
    uv_read_stop(stream);
    if (visit->device->mute)
        return;
    if (visit->device->endless) {
        memset(visit->out, 'x', sizeof visit->out);
        memcpy(visit->out, "HTTP/1.1 200 X\r\n\r\n", 18);
        go_on_writing(&visit->write, 0);
    } else if (strncmp(visit->in, "GET /root.xml ", 14) == 0) {
        describe(visit);
    } else if (strncmp(visit->in, "POST /control ", 14) == 0) {
        control(visit);
    } else {
        answer(visit, 404, "");
    }
}

static void on_visit(uv_stream_t *server, int status)
{
    struct device *d = server->data;
    struct visit *visit = calloc(1, sizeof *visit);

    assert_non_null(visit);
    visit->device = d;
    d->open++;
    assert_int_equal(uv_tcp_init(server->loop, &visit->tcp), 0);
    visit->tcp.data = visit->write.data = visit;
    assert_int_equal(uv_accept(server, (uv_stream_t *)&visit->tcp), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&visit->tcp, on_room, on_request), 0);
}

static struct yr_addr addr(const char *text)
{
    struct yr_addr out;
    assert_int_equal(yr_addr_parse(&out, text, 0), YR_OK);
    return out;
}

static void device_open(struct test_loop *loop, struct device *d)
{
    const struct yr_addr at = addr("127.0.0.1");
    struct sockaddr_storage sys;

    memset(d, 0, sizeof *d);
    d->version = 1;
    d->ip = "203.0.113.9";
    (void)yr_addr_to_sys(&at, &sys);
    assert_int_equal(uv_tcp_init(&loop->uv, &d->tcp), 0);
    d->tcp.data = d;
    assert_int_equal(uv_tcp_bind(&d->tcp, (struct sockaddr *)&sys, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&d->tcp, 16, on_visit), 0);
    assert_int_equal(uv_tcp_getsockname(&d->tcp, (struct sockaddr *)&sys, &(int){sizeof sys}), 0);
    d->port = yr_addr_from_sys((struct sockaddr *)&sys).port;
}

static void on_device_closed(uv_handle_t *handle)
{
    struct device *d = handle->data;
    d->closed = true;
}

static void walk_out(uv_handle_t *handle, void *device)
{
    if (handle->type == UV_TCP && handle != device && !uv_is_closing(handle))
        leave(handle->data);
}

static void device_close(struct test_loop *loop, struct device *d)
{
    uv_walk(&loop->uv, walk_out, &d->tcp);
    uv_close((uv_handle_t *)&d->tcp, on_device_closed);
    assert_true(loop_until(loop, &d->closed, GUARD_MS));
}

// ---- who asks ----

struct client {
    struct test_loop loop;
    struct device device;
    struct yr_portmap *map;
    struct yr_portmap_opts opts;
    struct yr_mapping_info info;
    enum yr_mapping_state want;
    bool reached, closed;
    char program[PATH_MAX], url[64];
};

static enum yr_err find(struct yr_gateway *out, const struct yr_addr *source)
{
    memset(out, 0, sizeof *out);
    out->gateway = out->source = addr("127.0.0.1");
    return YR_OK;
}

static void on_change(void *ctx)
{
    struct client *c = ctx;

    yr_portmap_info(c->map, &c->info);
    c->reached = c->reached || c->info.state == c->want;
}

static void prepare(struct client *c)
{
    char *slash;
    ssize_t len;

    memset(c, 0, sizeof *c);
    loop_start(&c->loop);
    device_open(&c->loop, &c->device);
    len = readlink("/proc/self/exe", c->program, sizeof c->program - 16); // BUILD/tests/...
    assert_true(len > 0);
    for (int i = 0; i < 2 && (slash = strrchr(c->program, '/')) != NULL; i++)
        *slash = '\0';
    strcat(c->program, "/yaari-upnp");
    snprintf(c->url, sizeof c->url, "http://127.0.0.1:%u/root.xml", c->device.port);
    c->opts = (struct yr_portmap_opts){.loop = &c->loop.uv,
                                       .upnp_program = c->program,
                                       .on_change = on_change,
                                       .ctx = c,
                                       .find = find,
                                       .port = 1, // nobody speaks PCP
                                       .upnp_url = c->url,
                                       .quicker = 100};
}

static void launch(struct client *c)
{
    const struct yr_addr bound = addr("0.0.0.0:7722");

    assert_int_equal(yr_portmap_open(&c->map, &c->opts), YR_OK);
    yr_portmap_start(c->map, &bound, 1, false);
}

static void wait_for(struct client *c, enum yr_mapping_state state)
{
    c->want = state;
    yr_portmap_info(c->map, &c->info);
    c->reached = c->info.state == state;
    assert_true(c->reached || loop_until(&c->loop, &c->reached, GUARD_MS));
}

static void end(struct client *c)
{
    yr_portmap_close(c->map, set_true, &c->closed);
    assert_true(c->closed || loop_until(&c->loop, &c->closed, GUARD_MS));
    device_close(&c->loop, &c->device);
    loop_end(&c->loop);
}

static void assert_outside(const struct client *c, const char *text)
{
    const struct yr_addr want = addr(text);

    assert_true(yr_addr_eq(&c->info.addr, &want));
    assert_string_equal(c->info.by, "upnp");
}

static void a_device_maps_our_port_and_forgets_it_at_the_end(void **state)
{
    struct client c;

    prepare(&c);
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    assert_outside(&c, "203.0.113.9:7722");
    assert_non_null(strstr(c.device.last, "<NewInternalClient>127.0.0.1<"));
    assert_non_null(strstr(c.device.last, "<NewInternalPort>7722<"));
    assert_non_null(strstr(c.device.last, "<NewProtocol>UDP<"));
    assert_non_null(strstr(c.device.last, "<NewLeaseDuration>7200<"));
    assert_null(strstr(c.device.last, "yaari")); // whoever lists its mappings learns a port
    assert_int_equal(c.device.deleted, 0);
    end(&c);
    assert_int_equal(c.device.deleted, 1);
    assert_non_null(strstr(c.device.last, "<NewExternalPort>7722<"));
}

static void a_port_that_others_have_becomes_another(void **state)
{
    struct client c;

    prepare(&c);
    c.device.errors[0] = 718;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    assert_int_equal(c.device.added, 2);
    assert_int_not_equal(c.info.addr.port, 7722);
    assert_true(c.info.addr.port >= 1024);
    end(&c);
}

static void a_device_that_knows_no_lease_maps_for_ever_and_is_asked_again(void **state)
{
    struct client c;

    prepare(&c);
    c.opts.quicker = 10000; // half an hour: 180 ms
    c.device.errors[0] = 725;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    assert_true(c.info.left_s == UINT64_MAX);
    assert_non_null(strstr(c.device.last, "<NewLeaseDuration>0<"));
    for (int i = 0; i < 500 && c.device.added < 3; i++)
        loop_for(&c.loop, 20);
    assert_true(c.device.added >= 3); // it may have restarted
    assert_int_equal(c.info.state, YR_MAPPING_ON);
    end(&c);
    assert_int_equal(c.device.deleted, 1);
}

static void what_is_being_renewed_at_the_end_is_deleted_too(void **state)
{
    struct client c;

    prepare(&c);
    c.opts.quicker = 10000;
    c.device.errors[0] = 725;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    for (int i = 0; i < 5000 && c.device.asked_ip < 2; i++)
        loop_for(&c.loop, 1);
    assert_true(c.device.asked_ip >= 2); // asked again, and not answered yet
    end(&c);
    assert_int_equal(c.device.deleted, 1);
}

static void the_second_version_picks_the_port(void **state)
{
    struct client c;

    prepare(&c);
    c.device.version = 2;
    c.device.reserved = "4711";
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    assert_outside(&c, "203.0.113.9:4711");
    assert_non_null(strstr(c.device.last, "AddAnyPortMapping"));
    end(&c);
    assert_int_equal(c.device.deleted, 1);
}

static void refusals_are_told_in_words(void **state)
{
    static const struct {
        unsigned error, version;
        const char *ip, *control, *why;
    } rows[] = {
        {606, 1, "203.0.113.9", NULL, "refuses a mapping by UPnP (error 606)"},
        {0, 1, "", NULL, "does not know its outside address"},
        {0, 1, "none", NULL, "does not know its outside address"},
        {0, 1, "192.168.7.1", NULL, "no address on the Internet"},
        {0, 0, "203.0.113.9", NULL, "does not answer UPnP"},
        {0, 1, "203.0.113.9", "http://127.0.0.2:9/control", "does not answer UPnP"},
        {0, 1, "203.0.113.9", "http://127.0.0.1.example.org/x", "does not answer UPnP"},
        {0, 1, "203.0.113.9", "http://127.0.0.1@example.org/x", "does not answer UPnP"},
    };

    for (size_t i = 0; i < YR_COUNT(rows); i++) {
        struct client c;

        prepare(&c);
        c.device.errors[0] = rows[i].error;
        c.device.version = rows[i].version;
        c.device.ip = rows[i].ip;
        c.device.control = rows[i].control;
        launch(&c);
        wait_for(&c, YR_MAPPING_NONE);
        assert_non_null(strstr(c.info.why, rows[i].why));
        assert_int_equal(c.info.addr.family, 0);
        end(&c);
        assert_int_equal(c.device.deleted, 0);
    }
}

static void a_description_elsewhere_is_not_fetched(void **state)
{
    struct client c;

    prepare(&c);
    snprintf(c.url, sizeof c.url, "http://localhost:%u/root.xml", c.device.port);
    launch(&c);
    wait_for(&c, YR_MAPPING_NONE);
    assert_int_equal(c.device.described, 0);
    end(&c);
}

static void a_device_that_never_ends_does_not_hold_us_up(void **state)
{
    for (int mute = 0; mute < 2; mute++) {
        struct client c;
        uint64_t began;

        prepare(&c);
        c.device.endless = !mute;
        c.device.mute = mute;
        launch(&c);
        while (c.device.open == 0)
            loop_for(&c.loop, 5);
        loop_for(&c.loop, 100);
        began = uv_hrtime();
        end(&c);
        assert_true(uv_hrtime() - began < 3 * 1000000000ull);
    }
}

static void without_the_program_upnp_is_left_out(void **state)
{
    struct client c;

    prepare(&c);
    strcat(c.program, "-gone");
    launch(&c);
    wait_for(&c, YR_MAPPING_NONE);
    assert_non_null(strstr(c.info.why, "cannot be started"));
    end(&c);
}

// ---- what the process says ----

static void lines_are_read_whole_or_not_at_all(void **state)
{
    static const struct {
        const char *line;
        bool mapped, deleted;
        const char *why;
    } rows[] = {
        {"mapped 203.0.113.9 7722 7200 http://192.168.1.1:5000/x\n", true, false, NULL},
        {"mapped 203.0.113.9 7722 0 u\n", true, false, NULL},
        {"deleted\n", false, true, NULL},
        {"none silent\n", false, false, "does not answer"},
        {"none refused 718\n", false, false, "(error 718)"},
        {"none refused x\n", false, false, "refuses"},
        {"none what\n", false, false, "failed"},
        {"none\n", false, false, "failed"},
        {"", false, false, "failed"},
        {"\n", false, false, "failed"},
        {"mapped 203.0.113.9 7722 7200 u", false, false, "failed"}, // cut off
        {"mapped 203.0.113.9 7722 7200\n", false, false, "failed"},
        {"mapped 203.0.113.9 7722 7200 u v\n", false, false, "failed"},
        {"mapped 203.0.113.9:1 7722 7200 u\n", false, false, "failed"},
        {"mapped ::1 7722 7200 u\n", false, false, "failed"},
        {"mapped 203.0.113.9 65536 7200 u\n", false, false, "failed"},
        {"mapped 203.0.113.9 -1 7200 u\n", false, false, "failed"},
        {"mapped 203.0.113.9 1 4294967296 u\n", false, false, "failed"},
        {"mapped 203.0.113.9 1  u\n", false, false, "failed"},
        {"mapped\n", false, false, "failed"},
    };

    for (size_t i = 0; i < YR_COUNT(rows); i++) {
        struct yr_upnp_answer out;
        yr_upnp_parse(&out, rows[i].line, strlen(rows[i].line));
        assert_int_equal(out.mapped, rows[i].mapped);
        assert_int_equal(out.deleted, rows[i].deleted);
        if (rows[i].why != NULL)
            assert_non_null(strstr(out.why, rows[i].why));
    }
    char url[YR_UPNP_LINE_MAX] = "mapped 203.0.113.9 7722 7200 ";
    memset(url + strlen(url), 'u', 300);
    strcat(url, "\n");
    struct yr_upnp_answer out;
    yr_upnp_parse(&out, url, strlen(url));
    assert_false(out.mapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_maps_our_port_and_forgets_it_at_the_end),
        cmocka_unit_test(a_port_that_others_have_becomes_another),
        cmocka_unit_test(a_device_that_knows_no_lease_maps_for_ever_and_is_asked_again),
        cmocka_unit_test(what_is_being_renewed_at_the_end_is_deleted_too),
        cmocka_unit_test(the_second_version_picks_the_port),
        cmocka_unit_test(refusals_are_told_in_words),
        cmocka_unit_test(a_description_elsewhere_is_not_fetched),
        cmocka_unit_test(a_device_that_never_ends_does_not_hold_us_up),
        cmocka_unit_test(without_the_program_upnp_is_left_out),
        cmocka_unit_test(lines_are_read_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
