// Answers every request with what it saw, and `GET /log` with everything it saw since it was last asked.
"use strict";
const http = require("node:http");

const hex = (text) => Buffer.from(text, "latin1").toString("hex") || "-";
let log = [];

function fields(raw, mark) {
  let lines = "";
  for (let at = 0; at < raw.length; at += 2) {
    lines += `${mark}${raw[at].toLowerCase()}: ${raw[at + 1]}\n`;
  }
  return lines;
}

const server = http.createServer({ maxHeaderSize: 128 * 1024 }, (request, response) => {
  if (request.url === "/log") {
    const lines = log.join("\n");
    log = [];
    response.end(lines);
    return;
  }
  const body = [];
  request.on("error", () => {});
  request.on("data", (chunk) => body.push(chunk));
  request.on("end", () => {
    const head = fields(request.rawHeaders, "") + fields(request.rawTrailers, "trailer ");
    const whole = Buffer.concat(body).toString("hex") || "-";
    const line = `${request.method} ${hex(request.url)} ${whole} ${hex(head)}`;
    log.push(line);
    response.setHeader("content-length", line.length);
    response.end(line);
  });
});
// The gateway cuts what its client does not finish; everything else it sends has to be readable.
server.on("clientError", (error, socket) => {
  if (String(error.code).startsWith("HPE_") && error.code !== "HPE_INVALID_EOF_STATE") {
    log.push(`MALFORMED ${hex(error.code)} - -`);
  }
  socket.destroy();
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
