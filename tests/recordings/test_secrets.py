"""That the search of a server's log finds what is there, in whichever form, and cannot pass by having nothing to do.

    python3 tests/recordings/test_secrets.py
"""
import base64
import json
import unittest
import urllib.parse

from secrets_in_log import complaints

PASSWORD = 'päss/w"rd&1'
LINE = ('2026-01-01T00:00:00.000000Z  INFO done command="login" dialect="rest" code=200 user="login" '
        'address="127.0.0.1" milliseconds=12 request="a1b2c3d4"\n')
SETTINGS = {'API_KEY': 'the-key-of-a-test', 'BIZID': '8888-8888'}
CALL = {
    'id': 'log-1', 'caller': '127.0.0.1:54321',
    'request': {'method': 'POST', 'path': '/login?id_token=tok-in-path', 'headers': [['Liteav-Sig', 'sig-in-header']],
                'body': json.dumps({'userid': 'login', 'nickname': 'Anna-Lena', 'title': 'command',
                                    'deep': [{'password': PASSWORD}], 'text': '{"token": "tok-in-text"}'})},
    'answer': {'status': 200, 'headers': [], 'body': json.dumps({'code': 200, 'data': {
        'refresh_token': 'ABCDEF0123', 'sign': 4711, 'pushurl': 'rtmp://h/live/s?bizid=1&txSecret=0a1b2c3d4e&txTime=5'}})},
}


def found(log, call=CALL):
    return complaints(log, SETTINGS, [call], 100, 101)


class Search(unittest.TestCase):
    def test_a_log_without_secrets_is_good(self):
        self.assertEqual(found(LINE), [])

    def test_whatever_is_planted_is_found_and_not_shown(self):
        for name, value in [
                ('API_KEY', 'the-key-of-a-test'), ('sign of a call to the cloud', 'bd5893710d81359ab1e2a4ae18e300ad'),
                ('id_token', 'tok-in-path'), ('Liteav-Sig', 'sig-in-header'), ('nickname', 'Anna-Lena'),
                ('password', PASSWORD), ('token', 'tok-in-text'), ('refresh_token', 'abcdef0123'),
                ('txSecret', '0a1b2c3d4e'), ('address of the caller', '127.0.0.1:54321'),
                ('body of the request', CALL['request']['body']), ('body of the answer', CALL['answer']['body'])]:
            with self.subTest(name):
                texts = found(LINE + '.. %s ..' % value)
                self.assertTrue(any(text.endswith(': %s is in the log' % name) for text in texts), texts)
                self.assertNotIn(value.lower(), str(texts).lower())

    def test_a_secret_is_found_in_every_form(self):
        for form in (urllib.parse.quote(PASSWORD), urllib.parse.quote(PASSWORD, safe=''), json.dumps(PASSWORD),
                     json.dumps(PASSWORD, ensure_ascii=False), base64.b64encode(PASSWORD.encode()).decode(), PASSWORD.upper()):
            self.assertEqual(found(LINE + form), ['log-1: password is in the log'], form)

    def test_a_short_secret_is_found_as_a_whole_only(self):
        for line, names in (('sign=4711', ['sign']), ('for "4711"', ['sign']), ('took 47110 us', []), ('n=47112', []),
                            ('user="4711"', ['sign'])):
            self.assertEqual(found(LINE + line), ['log-1: %s is in the log' % name for name in names], line)

    def test_who_calls_is_in_the_log_unless_users_are_not_named(self):
        self.assertEqual(found(LINE + 'user="login"'), [])
        self.assertEqual(complaints(LINE, {**SETTINGS, 'LOG_USERS': 'off'}, [CALL], 100, 101),
                         ['log-1: userid is in the log'])
        unnamed = LINE.replace('user="login"', 'user="5e884898da280471"')
        self.assertEqual(complaints(unnamed, {**SETTINGS, 'LOG_USERS': 'off'}, [CALL], 100, 101), [])

    def test_a_log_with_too_few_lines_is_none(self):
        self.assertEqual(found(''), ['1 calls reached a command, but the log has lines of 0'])

    def test_a_replay_without_secrets_is_none(self):
        call = {**CALL, 'request': {**CALL['request'], 'path': '/', 'headers': [], 'body': None},
                'answer': {**CALL['answer'], 'body': '{"code": 200}'}}
        self.assertEqual(found(LINE, call), ['no secret was found in the calls: there was nothing to search for'])


if __name__ == '__main__':
    unittest.main()
