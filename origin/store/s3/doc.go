// Package s3 keeps objects in a bucket of Amazon S3 or of a server that speaks
// its protocol: R2, Tigris, MinIO, versitygw, Ceph, and with
// [Options.SingleWriter] B2 and Google Cloud Storage.
//
// The key in the bucket is Options.Prefix and the object's name. Content-Type and
// Cache-Control go with each PUT, so a CDN can have the bucket as its origin.
// Private objects (below "_/") must then be kept from the public by the bucket's
// policy:
//
//	{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
//	 "NotResource": "arn:aws:s3:::BUCKET/PREFIX_/*"}
//
// [Store.Probe] shows, before a station goes on air, that the bucket is there,
// takes the credentials, keeps headers, honours conditions and hides what is
// private. Our own rights: s3:PutObject, s3:GetObject, s3:DeleteObject on the
// objects and s3:ListBucket on the bucket.
//
// Credentials come from a file or from the SDK's chain (environment, shared file,
// role of the machine), are renewed by it, and are in no error and no log.
//
// This package does not queue, hedge or retry for long: packager/push does. The
// few tries here are those that need to know S3.
package s3
