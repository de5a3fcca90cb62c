-- One kind of request for wrk: wrk -s bench.lua URL -- KIND RUN T SIGN [check]
-- Each thread counts its own requests, so that no two threads send the same one.
local kind, run, t, sign
local threads = 0

function setup(thread)
  thread:set("thread", threads)
  threads = threads + 1
end

local function post(path, body)
  return wrk.format("POST", path, { ["Content-Type"] = "application/json" }, body)
end

local function action(body, ...)
  return post("/interface.php", string.format(body, ...))
end

-- Users, and rooms, from 0 to 999.
local function user(n) return (n * 2 + thread) % 1000 end

local kinds = {
  RequestLVBAddr = function(n)
    return action('{"Action":"RequestLVBAddr","userid":"bench%d","groupid":"@TGS#%d","title":"bench","userinfo":'
      .. '{"nickname":"nick","headpic":"http://h/h.png","frontcover":"http://h/c.png","location":"here"}}', user(n), user(n))
  end,
  -- Every call moves a room: each thread goes through its rooms, and the next time back.
  ChangeStatus = function(n)
    return action('{"Action":"ChangeStatus","userid":"bench%d","status":%d}', user(n), math.floor(n / 500) % 2)
  end,
  EnterGroup = function(n)
    return action('{"Action":"EnterGroup","userid":"v%d-%d-%d","liveuserid":"bench0","groupid":"@TGS#0",'
      .. '"nickname":"nick","headpic":"http://h/h.png","flag":0}', run, thread, n)
  end,
  ChangeCount = function()
    return action('{"Action":"ChangeCount","userid":"bench0","type":1,"optype":0,"flag":0,"fileid":""}')
  end,
  FetchList = function()
    return action('{"Action":"FetchList","flag":1,"pageno":1,"pagesize":20}')
  end,
  GetCOSSign = function()
    return action('{"Action":"GetCOSSign"}')
  end,
  login = function()
    return post("/login", '{"userid":"bench_user","password":"e352963bbbd32a45ce27c73b0666aabe"}')
  end,
  -- Ten-minute recordings of 1,000 users, each after the one before it.
  recording = function(n)
    local stop = t - 700 - 700 * math.floor(n / 500) - run * 7000
    return post("/callback/Live_callback.php", string.format(
      '{"t":%d,"sign":"%s","event_type":100,"stream_id":"8888_bench%d","channel_id":"8888_bench%d","file_format":"flv",'
      .. '"file_id":"f%d-%d-%d","video_id":"f%d-%d-%d","video_url":"http://v/%d.flv","start_time":%d,"end_time":%d,'
      .. '"duration":600,"file_size":1048576}',
      t, sign, user(n), user(n), run, thread, n, run, thread, n, n, stop - 600, stop))
  end,
}

-- Calls of Gen 2: the signature, 32 digits, and the body that it is of.
for _, name in ipairs({ "get_user_info", "get_vod_list" }) do
  kinds[name] = function()
    local headers = { ["Content-Type"] = "application/json", ["Liteav-Sig"] = sign:sub(1, 32) }
    return wrk.format("POST", "/" .. name, headers, sign:sub(33))
  end
end

-- Answers that are not a success would be fast and worthless. To look at each costs wrk much of its speed, so it is done
-- in a run of its own.
local function check(status, _, body)
  if status ~= 200 or not (body:find('"returnValue":0', 1, true) or body == '{"code":0}' or body:find('{"code":200', 1, true)) then
    if not failed then print("FAILED " .. status .. " " .. body) end
    failed = true
  end
end

function init(args)
  kind, run, t, sign = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
  count = 0
  if args[5] == "check" then response = check end
end

function request()
  count = count + 1
  return kinds[kind](count)
end
