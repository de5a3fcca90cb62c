"""Searches a server's log for what must not be in it, given the settings and the transcript of a replay.

Sought are secrets (keys among the settings; passwords, tokens and signatures of every request and answer, at any depth),
whole bodies, and what users say of themselves; with LOG_USERS=off also who they are. A finding is told by the case and
the name of the value, never by the value itself.

  * 8 characters and more: anywhere, whatever the case of the letters, also URL-encoded, escaped as in JSON, in base64.
  * 3 to 7: only as a whole, "abc" or =abc, where a log has its values; elsewhere they would be found by accident.
  * Less, as the password "0": not sought. Of the users' texts only those longer than 8, since "title" is a title too.
"""
import base64
import hashlib
import json
import re
import urllib.parse

SECRET = {'password', 'token', 'refresh_token', 'id_token', 'access_token', 'usersig', 'sign', 'signkey', 'signature',
          'sig', 'txsecret', 'secret', 'authorization'}
HEADERS = {'liteav-sig', 'x-user-sig', 'x-operator-key', 'authorization', 'cookie', 'set-cookie'}
USER = {'userid', 'liveuserid', 'hostuserid', 'stream_id', 'streamid', 'channel_id'}
PERSON = {'user_ip'}
TEXT = {'nickname', 'title', 'location', 'desc', 'headpic', 'avatar', 'frontcover'}
IN_TEXT = re.compile(r'\b(%s)=([^&\s"\'\\<>]+)' % '|'.join(sorted(SECRET)), re.I)
ANYWHERE, AS_A_WHOLE = 8, 3
CALL = re.compile(r'\bcommand="')
# What is the log's own: the time, numbers of operations, events and codes, and words at which a user called "login" would be found.
OWN = re.compile(r'^\S+Z +|\b(?:sdk_invocation_id|event|code)=\d+|\b(?:command|dialect|request)="\w*"', re.M)
# Where the log may name a user, or a stream, which has the user's name.
NAMED = re.compile(r'\b(?:user|host|stream)="((?:[^"\\\n]|\\.)*)"')
SIGNED_AHEAD = 60          # the expiry of our calls to the cloud, shared/app/src/cloud/


def in_settings(settings, since, until):
    """The keys, and the signatures of every call to the cloud that could have been made meanwhile."""
    for name, value in settings.items():
        if 'KEY' in name:
            yield name, value
    for t in range(int(since), int(until) + SIGNED_AHEAD + 2):
        yield 'sign of a call to the cloud', hashlib.md5((settings.get('API_KEY', '') + str(t)).encode()).hexdigest()


def in_text(text):
    """(name, value) of what is written as name=value, as in URLs."""
    for name, value in IN_TEXT.findall(text):
        yield name, value
        yield name, urllib.parse.unquote(value)


def in_json(node, name=''):
    """(name, value) of the members of a JSON value, and of JSON inside its texts."""
    if isinstance(node, dict):
        for member, value in node.items():
            yield from in_json(value, member)
    elif isinstance(node, list):
        for value in node:
            yield from in_json(value, name)
    elif isinstance(node, (str, int, float)) and not isinstance(node, bool):
        text = str(node).strip()
        if name.lower() in SECRET | PERSON | USER or name.lower() in TEXT and len(text) > ANYWHERE:
            yield name, text
        yield from in_text(text)
        if text.startswith(('{', '[')):
            yield from in_body(text)


def in_body(text):
    try:
        yield from in_json(json.loads(text))
    except (ValueError, RecursionError):
        yield from in_text(text)


def in_exchange(exchange):
    """(name, value) of all that one line of a transcript has and the log may not have."""
    yield 'address of the caller', exchange.get('caller') or ''
    yield from in_text(exchange['request']['path'])
    for side in ('request', 'answer'):
        part = exchange[side] or {'headers': [], 'body': None}
        for name, value in part['headers']:
            if name.lower() in HEADERS:
                yield name, value
            yield from in_text(value)
        body = part['body'] or ''
        if isinstance(body, dict):
            body = base64.b64decode(body['base64']).decode('utf-8', 'replace')
        if len(body) >= ANYWHERE:
            yield 'body of the ' + side, body
        yield from in_body(body)


def forms(value):
    """The ways in which a value could be written, in lower case."""
    data = value.encode('utf-8', 'surrogatepass')
    yield value
    yield urllib.parse.quote(data)
    yield urllib.parse.quote(data, safe='')
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield base64.b64encode(data[:len(data) // 3 * 3]).decode()      # the rest depends on what follows


def find(log, secrets):
    """-> [(case, name)] of those (case, name, value) that are in the log, each value once."""
    log = '\n'.join(dict.fromkeys(OWN.sub('', log).lower().splitlines()))      # the SDK repeats itself
    wholes = {value for pair in re.findall(r'"([^"\n]*)"|=([^\s",]+)', log) for value in pair}
    found, seen = [], set()
    for case, name, value in secrets:
        if value in seen or len(value) < AS_A_WHOLE:
            continue
        seen.add(value)
        if len(value) >= ANYWHERE:
            there = any(form.lower() in log for form in set(forms(value)))
        else:
            there = any(form.lower() in wholes for form in (value, json.dumps(value)[1:-1]))
        if there:
            found.append((case, name))
    return found


def reached_a_command(exchange):
    """Whether a call came as far as the line that each call leaves: not to an address where there is nothing."""
    try:
        answer = json.loads(exchange['answer']['body'])
    except (TypeError, ValueError):
        return False
    return isinstance(answer, dict) and ('returnValue' in answer or answer.get('code', 400) != 400)


def complaints(log, settings, exchanges, since, until):
    """What is wrong with a log, in words; also that the search could not have found anything."""
    secrets = [('settings', name, value) for name, value in in_settings(settings, since, until)]
    of_calls = [(exchange['id'], *pair) for exchange in exchanges for pair in in_exchange(exchange)]
    searched = log
    if settings.get('LOG_USERS', 'on') == 'on':
        users = {json.dumps(value, ensure_ascii=False)[1:-1] for _, name, value in of_calls if name.lower() in USER}
        searched = NAMED.sub(lambda named: '' if named.group(1) in users else named.group(), log)
        of_calls = [(case, name, value) for case, name, value in of_calls if name.lower() not in USER]
    texts = ['%s: %s is in the log' % finding for finding in find(searched, secrets + of_calls)]
    calls, lines = sum(map(reached_a_command, exchanges)), len(CALL.findall(log))
    if lines < max(calls, 1):
        texts.append('%d calls reached a command, but the log has lines of %d' % (calls, lines))
    for what, number in (('settings', len(secrets)), ('calls', sum(name.lower() in SECRET for _, name, _ in of_calls))):
        if not number:
            texts.append('no secret was found in the %s: there was nothing to search for' % what)
    return texts
