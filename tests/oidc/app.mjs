// What an app and its user's browser do to get an ID token: the authorization code flow with PKCE, over plain requests.
import { createHash, randomBytes } from 'node:crypto';

export const CLIENT = 'mini-lvb';
export const REDIRECT = 'com.example.mini-lvb:/login';
export const USER = {
  login: 'alice_1',
  profile: { name: 'Alice', picture: 'https://id.example.com/alice.jpg' },
};

export async function idToken(issuer) {
  const response = await fetch(`${issuer}/.well-known/openid-configuration`);
  const { authorization_endpoint, token_endpoint } = await response.json();
  const verifier = randomBytes(32).toString('base64url');
  const request = new URLSearchParams({
    client_id: CLIENT,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid profile',
    nonce: 'a-nonce-of-the-app',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const callback = await logIn(`${authorization_endpoint}?${request}`);
  const code = callback.searchParams.get('code');
  if (!code) throw new Error(`no code in ${callback}`);
  const tokens = await fetch(token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: CLIENT, grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: verifier,
    }),
  });
  const { id_token } = await tokens.json();
  if (!id_token) throw new Error(`no ID token: HTTP status ${tokens.status}`);
  return id_token;
}

// Follows redirections as a browser does, fills in the provider's own forms, and gives the address of the app in which
// it ends.
async function logIn(address) {
  const cookies = new Map();
  let form;
  for (let steps = 0; steps < 20; steps += 1) {
    const response = await fetch(address, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map((cookie) => cookie.join('=')).join('; ') },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    });
    form = undefined;
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location?.startsWith(REDIRECT)) return new URL(location);
    if (location) {
      address = new URL(location, address).href;
      continue;
    }
    const page = await response.text();
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (!prompt) throw new Error(`${address}: HTTP status ${response.status}: ${page}`);
    form = { prompt, login: USER.login, password: 'any' };
  }
  throw new Error(`the login went in circles: ${address}`);
}
