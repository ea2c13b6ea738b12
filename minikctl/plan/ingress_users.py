"""Basic authentication of an Ingress: who may pass, by the hashes that ``htpasswd`` makes.

HAProxy knows those of crypt(3).  Apache's own, which ``htpasswd`` makes unless it is told otherwise, are
computed by a script in Lua; what it has found right once is not computed again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from minikctl.plan import haproxy

Users = Sequence[tuple[str, str]]
"""(name, hash) of each."""
APACHE = "$apr1$"
_CRYPT = ("$1$", "$2y$", "$2b$", "$2a$", "$5$", "$6$", "$y$")
_NAME, _HASH = re.compile(r"[\w.@-]+"), re.compile(r"[\w./$,=]+")
KNOWN = "known are hashes of htpasswd (-5, -B, or none of its flags)"
SCRIPT_FILE = "basic-auth.lua"
SCRIPT = """\
-- Tells by a user's hash as Apache makes it, in txn.hash, whether the password is right: txn.known.
local LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
local ORDER = {{1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 16}, {5, 11, 6}}
local right = {}
local function letters(number, count)
  local found = ""
  for _ = 1, count do
    found = found .. LETTERS:sub(number % 64 + 1, number % 64 + 1)
    number = number // 64
  end
  return found
end
local function encoded(sum)
  local bytes, found = {sum:byte(1, 16)}, ""
  for _, at in ipairs(ORDER) do
    found = found .. letters(bytes[at[1]] << 16 | bytes[at[2]] << 8 | bytes[at[3]], 4)
  end
  return found .. letters(bytes[12], 2)
end
local function hashed(md5, password, salt)
  local inner, text, rest = md5(password .. salt .. password), password .. "$apr1$" .. salt, #password
  for left = rest, 1, -16 do text = text .. inner:sub(1, math.min(left, 16)) end
  while rest > 0 do
    text = text .. (rest % 2 == 1 and "\\0" or password:sub(1, 1))
    rest = rest // 2
  end
  local sum = md5(text)
  for round = 0, 999 do
    local odd = round % 2 == 1
    sum = md5((odd and password or sum) .. (round % 3 ~= 0 and salt or "")
      .. (round % 7 ~= 0 and password or "") .. (odd and sum or password))
  end
  return encoded(sum)
end
core.register_action("basic-auth", {"http-req"}, function(txn)
  local wanted, password = txn:get_var("txn.hash"), txn.sf:http_auth_pass()
  local salt, hash = wanted:match("^%$apr1%$([^$]*)%$(.*)$")
  if not salt then return end
  local mark = txn.c:digest(wanted .. password, "sha256")
  if right[wanted] ~= mark then
    if hashed(function(text) return txn.c:digest(text, "md5") end, password, salt) ~= hash then return end
    right[wanted] = mark
  end
  txn:set_var("txn.known", true)
end)
"""
"""An action for HAProxy, in Lua."""


def is_usable(name: str, given: str) -> bool:
    """Tell whether the user's hash can be checked, and both can be written down for the proxy."""
    return given.startswith((*_CRYPT, APACHE)) and bool(_NAME.fullmatch(name) and _HASH.fullmatch(given))


def need_script(users: Users) -> bool:
    """Tell whether there is a hash that the proxy does not know by itself."""
    return any(given.startswith(APACHE) for _, given in users)


def map_file(backend: str) -> str:
    """Return the name of the file with those hashes of a backend."""
    return f"users-{hashlib.sha256(backend.encode()).hexdigest()[:16]}.map"


def map_text(users: Users) -> str:
    """Return that file."""
    return "".join(f"{name} {given}\n" for name, given in users if given.startswith(APACHE))


def userlist(backend: str, users: Users) -> str:
    """Return the section with the users whose hashes the proxy knows."""
    lines = [f"user {name} password '{given}'" for name, given in users if not given.startswith(APACHE)]
    return haproxy.section(f"userlist users_{backend}", lines)


def lines(backend: str, users: Users, realm: str) -> Iterator[str]:
    """Return the rules that let nobody else pass."""
    if need_script(users):
        yield f"http-request set-var(txn.hash) http_auth_user,map_str({map_file(backend)})"
        yield "http-request lua.basic-auth if { var(txn.hash) -m found }"
    known = f"!{{ http_auth(users_{backend}) }} !{{ var(txn.known) -m bool }}"
    yield f"http-request auth realm '{realm}' if {known}"
