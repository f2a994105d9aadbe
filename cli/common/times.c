#include "cli/common/times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND   INT64_C(1000)
#define MINUTE   (60 * SECOND)
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)
#define SPAN_MAX (36525 * DAY)

yr_ms yr_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (yr_ms)now.tv_sec * SECOND + now.tv_nsec / 1000000;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

static void split(yr_ms time_ms, bool utc, struct tm *out)
{
    const yr_ms first = -62167219200 * SECOND, last = 253402300799 * SECOND; // years 0 and 9999
    const yr_ms held = time_ms < first ? first : time_ms > last ? last : time_ms;
    const time_t seconds = (time_t)floor_div(held, SECOND);

    if (utc)
        gmtime_r(&seconds, out);
    else
        localtime_r(&seconds, out);
}

void yr_rfc3339(char out[YR_RFC3339_LEN + 1], yr_ms time_ms)
{
    const int ms = (int)(time_ms - floor_div(time_ms, SECOND) * SECOND);
    char text[64];
    struct tm tm;

    split(time_ms, true, &tm);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ms);
    memcpy(out, text, YR_RFC3339_LEN);
    out[YR_RFC3339_LEN] = '\0';
}

/** Exactly `digits` digits at *text, which moves behind them; in low..high. */
static bool digits(const char **text, int count, int low, int high, int *out)
{
    int value = 0;

    for (int i = 0; i < count; i++) {
        if ((*text)[i] < '0' || (*text)[i] > '9')
            return false;
        value = value * 10 + ((*text)[i] - '0');
    }
    *text += count;
    *out = value;
    return value >= low && value <= high;
}

static bool mark(const char **text, const char *marks)
{
    if (**text == '\0' || strchr(marks, **text) == NULL)
        return false;
    (*text)++;
    return true;
}

static int month_days(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool read_date(const char **text, struct tm *tm)
{
    int year, month, day;

    if (!digits(text, 4, 0, 9999, &year) || !mark(text, "-") || !digits(text, 2, 1, 12, &month) ||
        !mark(text, "-") || !digits(text, 2, 1, month_days(year, month), &day))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return true;
}

/** HH:MM, then :SS if it is there or demanded. */
static bool read_clock(const char **text, struct tm *tm, bool seconds)
{
    if (!digits(text, 2, 0, 23, &tm->tm_hour) || !mark(text, ":") ||
        !digits(text, 2, 0, 59, &tm->tm_min))
        return false;
    tm->tm_sec = 0;
    if (!seconds && **text != ':')
        return true;
    return mark(text, ":") && digits(text, 2, 0, 60, &tm->tm_sec);
}

bool yr_rfc3339_read(const char *text, yr_ms *out)
{
    struct tm tm = {0};
    int ms = 0, hours, minutes, offset = 0;

    if (!read_date(&text, &tm) || !mark(&text, "Tt ") || !read_clock(&text, &tm, true))
        return false;
    if (mark(&text, ".")) {
        int place = 100;

        if (*text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9'; text++, place /= 10)
            ms += (*text - '0') * place;
    }
    if (!mark(&text, "Zz")) {
        const int sign = *text == '-' ? -1 : 1;

        if (!mark(&text, "+-") || !digits(&text, 2, 0, 23, &hours) || !mark(&text, ":") ||
            !digits(&text, 2, 0, 59, &minutes))
            return false;
        offset = sign * (hours * 60 + minutes);
    }
    if (*text != '\0')
        return false;
    *out = (yr_ms)timegm(&tm) * SECOND + ms - offset * MINUTE;
    return true;
}

/** The local moment of a broken-down time, daylight saving looked up. */
static yr_ms local_ms(struct tm tm)
{
    tm.tm_isdst = -1;
    return (yr_ms)mktime(&tm) * SECOND;
}

static yr_ms day_start(yr_ms now_ms, int days_back)
{
    struct tm tm;

    split(now_ms, false, &tm);
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_mday -= days_back;
    return local_ms(tm);
}

static bool read_named(const char *text, yr_ms now_ms, yr_ms *out)
{
    if (strcmp(text, "now") == 0)
        *out = now_ms;
    else if (strcmp(text, "today") == 0)
        *out = day_start(now_ms, 0);
    else if (strcmp(text, "yesterday") == 0)
        *out = day_start(now_ms, 1);
    else
        return false;
    return true;
}

bool yr_time_read(const char *text, yr_ms now_ms, yr_ms *out)
{
    const char *at = text;
    struct tm tm = {0};
    int64_t back;

    if (yr_rfc3339_read(text, out) || read_named(text, now_ms, out))
        return true;
    if (text[0] == '-') {
        if (!yr_duration_read(text + 1, &back))
            return false;
        *out = now_ms - back;
        return true;
    }
    if (read_date(&at, &tm)) {
        if (*at != '\0' && !(mark(&at, "Tt ") && read_clock(&at, &tm, false) && *at == '\0'))
            return false;
        *out = local_ms(tm);
        return true;
    }
    at = text;
    split(now_ms, false, &tm);
    if (!read_clock(&at, &tm, false) || *at != '\0')
        return false;
    *out = local_ms(tm);
    if (*out > now_ms) { // not yet today: yesterday's
        tm.tm_mday--;
        *out = local_ms(tm);
    }
    return true;
}

bool yr_duration_read(const char *text, int64_t *out_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", SECOND}, {"m", MINUTE}, {"h", HOUR}, {"d", DAY}, {"w", 7 * DAY}};
    double total = 0;

    if (*text == '\0')
        return false;
    while (*text != '\0') {
        const size_t whole = strspn(text, "0123456789");
        const size_t part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") + 1 : 0;
        double value = 0, place = 0.1;
        int64_t unit = 0;

        if (whole == 0 || whole > 15 || part == 1)
            return false;
        for (size_t i = 0; i < whole; i++)
            value = value * 10 + (text[i] - '0');
        for (size_t i = 1; i < part; i++, place /= 10)
            value += (text[whole + i] - '0') * place;
        text += whole + part;
        if (*text == '\0' && total == 0.0)
            unit = SECOND;
        for (size_t i = 0; i < sizeof units / sizeof units[0] && unit == 0; i++) {
            const size_t len = strlen(units[i].name);

            if (strncmp(text, units[i].name, len) == 0) {
                unit = units[i].ms;
                text += len;
            }
        }
        if (unit == 0)
            return false;
        total += value * (double)unit;
        if (total > (double)SPAN_MAX)
            return false;
    }
    *out_ms = (int64_t)(total + 0.5);
    return true;
}

bool yr_size_read(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    const size_t count = strspn(text, "0123456789");
    const char *unit;
    unsigned shift;
    uint64_t value;

    if (count == 0 || count > 18)
        return false;
    value = strtoull(text, NULL, 10);
    if (text[count] == '\0') {
        *out = value;
        return true;
    }
    unit = strchr(units, text[count] >= 'a' ? text[count] - 'a' + 'A' : text[count]);
    if (unit == NULL || text[count + 1] != '\0')
        return false;
    shift = 10 * (unsigned)(unit - units + 1);
    if (value > UINT64_MAX >> shift)
        return false;
    *out = value << shift;
    return true;
}

bool yr_time_format_ok(const char *format)
{
    return strcmp(format, "short") == 0 || strcmp(format, "iso") == 0 ||
           strcmp(format, "unix") == 0 || strcmp(format, "rel") == 0 ||
           (format[0] == '+' && format[1] != '\0' && strlen(format) <= 64);
}

int64_t yr_day_of(yr_ms time_ms, bool utc)
{
    struct tm tm;

    split(time_ms, utc, &tm);
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    return (int64_t)timegm(&tm) * SECOND / DAY;
}

static void add_strftime(struct yr_buf *out, const char *format, const struct tm *tm)
{
    char text[512];
    size_t len;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    len = strftime(text, sizeof text, format, tm); // the user's own format
#pragma GCC diagnostic pop
    yr_buf_add(out, text, len);
}

static void add_iso(struct yr_buf *out, const struct tm *tm)
{
    const long offset = tm->tm_gmtoff / 60, size = offset < 0 ? -offset : offset;

    add_strftime(out, "%Y-%m-%dT%H:%M:%S", tm);
    yr_buf_addf(out, "%c%02ld:%02ld", offset < 0 ? '-' : '+', size / 60, size % 60);
}

void yr_time_add(struct yr_buf *out, yr_ms time_ms, yr_ms now_ms, const struct yr_time_style *style)
{
    const char *format = style->format;
    struct tm tm;

    split(time_ms, style->utc, &tm);
    if (format[0] == '+') {
        add_strftime(out, format + 1, &tm);
    } else if (strcmp(format, "iso") == 0) {
        add_iso(out, &tm);
    } else if (strcmp(format, "unix") == 0) {
        yr_buf_addf(out, "%lld", (long long)floor_div(time_ms, SECOND));
    } else if (strcmp(format, "rel") == 0) {
        const int64_t span = now_ms - time_ms;

        if (span > -SECOND && span < SECOND) {
            yr_buf_adds(out, "now");
            return;
        }
        yr_buf_adds(out, span < 0 ? "in " : "");
        yr_span_add(out, span < 0 ? -span : span);
        yr_buf_adds(out, span < 0 ? "" : " ago");
    } else if (yr_day_of(time_ms, style->utc) == yr_day_of(now_ms, style->utc)) {
        add_strftime(out, "%H:%M", &tm);
    } else {
        add_strftime(out, "%Y-%m-%d %H:%M", &tm);
    }
}

void yr_day_add(struct yr_buf *out, yr_ms time_ms, bool utc)
{
    struct tm tm;

    split(time_ms, utc, &tm);
    add_strftime(out, "%a %-d %b %Y", &tm);
}

void yr_span_add(struct yr_buf *out, int64_t span_ms)
{
    const long long seconds = span_ms / SECOND, minutes = span_ms / MINUTE, hours = span_ms / HOUR,
                    days = span_ms / DAY;

    if (seconds < 1)
        yr_buf_adds(out, "now");
    else if (minutes < 1)
        yr_buf_addf(out, "%lld s", seconds);
    else if (hours < 1)
        yr_buf_addf(out, "%lld min", minutes);
    else if (days < 1 && minutes % 60 == 0)
        yr_buf_addf(out, "%lld h", hours);
    else if (days < 1)
        yr_buf_addf(out, "%lld h %lld min", hours, minutes % 60);
    else
        yr_buf_addf(out, "%lld %s", days, days == 1 ? "day" : "days");
}
