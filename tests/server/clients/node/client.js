// Calls Recommend from Node, with nothing but the protos:
//   node client.js ADDRESS FOLDER-OF-PROTOS…
// reads a list of {"request": …, "gzip": true or false} and prints a list with, for each, the
// answer, or the code and the details of the error.
"use strict";

const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, ...includeDirs] = process.argv.slice(2);
const contract = loader.loadSync(
    [
        "nearfield/v1/recommendation.proto",
        "google/rpc/status.proto",
        "google/rpc/error_details.proto",
    ],
    { includeDirs, keepCase: true, longs: Number, enums: String, defaults: true }
);
const { RecommendationService } = grpc.loadPackageDefinition(contract).nearfield.v1;

// The rich status is in the trailers, each detail under the name of its type.
function detailsOf(error) {
    const [trailer] = error.metadata.get("grpc-status-details-bin");
    const { details } = contract["google.rpc.Status"].deserialize(trailer);
    return Object.fromEntries(
        details.map(({ type_url, value }) => {
            const name = type_url.split("/").pop();
            return [name, contract[name].deserialize(value)];
        })
    );
}

function call({ request, gzip }) {
    const { identity, gzip: compressed } = grpc.compressionAlgorithms;
    const client = new RecommendationService(address, grpc.credentials.createInsecure(), {
        "grpc.default_compression_algorithm": gzip ? compressed : identity,
        "grpc.enable_http_proxy": 0,
    });
    return new Promise((resolve) => {
        const deadline = Date.now() + 20000;
        client.Recommend(request, { deadline }, (error, answer) => {
            client.close();
            if (error) {
                const { code, details: message } = error;
                resolve({ code: grpc.status[code], message, details: detailsOf(error) });
            } else {
                resolve({ answer });
            }
        });
    });
}

async function main() {
    const chunks = [];
    for await (const chunk of process.stdin) {
        chunks.push(chunk);
    }
    const calls = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    console.log(JSON.stringify(await Promise.all(calls.map(call))));
}

main();
