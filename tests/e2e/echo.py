"""A server in a pod's network that tells what it was asked: HTTP/1.1 at 8080, HTTP/2 at 8081, with TLS at 8444.

With TLS it speaks to those only that have agreed on HTTP/2 with it (ALPN), as servers of gRPC do.
"""

from __future__ import annotations

SCRIPT = r"""
import asyncio, base64, hashlib, json, ssl, sys
import h2.config, h2.connection, h2.events

async def one(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            verb, path, _ = head[0].split(" ")
            pairs = [line.split(": ", 1) for line in head[1:] if ": " in line]
            headers = {name.lower(): text for name, text in pairs}
            size = 0
            if "chunked" in headers.get("transfer-encoding", ""):
                while count := int((await reader.readline()).split(b";")[0], 16):
                    size += len(await reader.readexactly(count)); await reader.readline()
                await reader.readline()
            else:
                size = len(await reader.readexactly(int(headers.get("content-length", 0))))
            if headers.get("upgrade") == "websocket":
                key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
                writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
                while data := await reader.read(100):
                    writer.write(data)
                return
            if path.startswith("/slow"):
                await asyncio.sleep(3)
            body = json.dumps({"pod": sys.argv[1], "verb": verb, "path": path, "size": size, "headers": headers}).encode()
            more = b"X-Large: " + b"x" * int(path[6:]) + b"\r\n" if path.startswith("/head/") else b""
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + more)
            writer.write(b"Content-Length: %d\r\n\r\n" % len(body))
            writer.write(b"" if verb == "HEAD" else body)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()

async def two(reader, writer):
    secured = writer.get_extra_info("ssl_object")
    agreed = secured.selected_alpn_protocol() if secured else ""
    if secured and agreed != "h2":
        return writer.close()
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.StreamEnded):
                body = json.dumps({"pod": sys.argv[1], "protocol": "h2"}).encode()
                reply = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "0"), ("x-agreed", agreed)]
                connection.send_headers(event.stream_id, reply)
                connection.send_data(event.stream_id, body)
                connection.send_headers(event.stream_id, [("grpc-message", "trailer")], end_stream=True)
        writer.write(connection.data_to_send())
    writer.close()

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    context.set_alpn_protocols(["h2"])
    servers = [await asyncio.start_server(one, "0.0.0.0", 8080), await asyncio.start_server(two, "0.0.0.0", 8081)]
    servers.append(await asyncio.start_server(two, "0.0.0.0", 8444, ssl=context))
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))

asyncio.run(main())
"""
