package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"slices"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

const unknown = "00000000-0000-4000-8000-000000000000"

// client is one of the daemon that the environment names, whose calls are about a key of the test's own.
type client struct {
	*kms.Client
	keyID *string
}

func start(t *testing.T) client {
	t.Helper()
	c := client{Client: connect(t)}
	c.keyID = c.create(t)
	return c
}

func connect(t *testing.T, options ...func(*config.LoadOptions) error) *kms.Client {
	t.Helper()
	settings, err := config.LoadDefaultConfig(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return kms.NewFromConfig(settings)
}

func (c client) create(t *testing.T) *string {
	t.Helper()
	created := must[*kms.CreateKeyOutput](t)(c.CreateKey(t.Context(),
		&kms.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac}))
	return created.KeyMetadata.KeyId
}

// generate MACs "hello", unless a change says otherwise.
func (c client) generate(ctx context.Context, changes ...func(*kms.GenerateMacInput)) ([]byte, error) {
	input := &kms.GenerateMacInput{
		KeyId: c.keyID, Message: []byte("hello"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256}
	for _, change := range changes {
		change(input)
	}
	answer, err := c.GenerateMac(ctx, input)
	if err != nil {
		return nil, err
	}
	return answer.Mac, nil
}

func (c client) verify(ctx context.Context, mac []byte) (*kms.VerifyMacOutput, error) {
	return c.VerifyMac(ctx, &kms.VerifyMacInput{
		KeyId: c.keyID, Message: []byte("hello"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256, Mac: mac})
}

func of(keyID *string) func(*kms.GenerateMacInput) {
	return func(input *kms.GenerateMacInput) { input.KeyId = keyID }
}

// must returns what a call answers, and ends the test when it fails.
func must[T any](t *testing.T) func(T, error) T {
	return func(answer T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

func expectRefusal(t *testing.T, err error, code string) {
	t.Helper()
	var refusal smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &refusal) || refusal.ErrorCode() != code {
		t.Errorf("want %s, got %v", code, err)
	} else if !errors.As(err, &response) || response.HTTPStatusCode() != http.StatusBadRequest {
		t.Errorf("want status 400, got %v", err)
	}
}

func TestMacIsVerified(t *testing.T) {
	c := start(t)
	mac := must[[]byte](t)(c.generate(t.Context()))
	if answer := must[*kms.VerifyMacOutput](t)(c.verify(t.Context(), mac)); len(mac) != 32 || !answer.MacValid {
		t.Errorf("MAC %x, answer %v", mac, answer)
	}
}

func TestWrongMacIsRefused(t *testing.T) {
	c := start(t)
	mac := must[[]byte](t)(c.generate(t.Context()))
	mac[31] ^= 1
	_, err := c.verify(t.Context(), mac)
	expectRefusal(t, err, "KMSInvalidMacException")
}

func TestRequestThatCannotBeServedIsRefused(t *testing.T) {
	c := start(t)
	id := unknown
	dryRun := true
	for code, change := range map[string]func(*kms.GenerateMacInput){
		"NotFoundException":        of(&id),
		"InvalidKeyUsageException": func(i *kms.GenerateMacInput) { i.MacAlgorithm = types.MacAlgorithmSpecHmacSha512 },
		"ValidationException":      func(i *kms.GenerateMacInput) { i.Message = make([]byte, 4097) },
		"DryRunOperationException": func(i *kms.GenerateMacInput) { i.DryRun = &dryRun },
	} {
		t.Run(code, func(t *testing.T) {
			_, err := c.generate(t.Context(), change)
			expectRefusal(t, err, code)
		})
	}
}

func TestCallerWithoutRightsIsRefused(t *testing.T) {
	c := start(t)
	c.Client = connect(t, config.WithCredentialsProvider(
		credentials.NewStaticCredentialsProvider(os.Getenv("HMACD_AKID2"), os.Getenv("HMACD_SECRET2"), "")))
	_, err := c.generate(t.Context())
	expectRefusal(t, err, "AccessDeniedException")
}

func TestWrongSecretIsRefused(t *testing.T) {
	c := start(t)
	c.Client = connect(t, config.WithCredentialsProvider(
		credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), "not the secret", "")))
	_, err := c.generate(t.Context())
	expectRefusal(t, err, "InvalidSignatureException")
}

func TestDisabledKeyIsRefusedUntilItIsEnabled(t *testing.T) {
	c := start(t)
	mac := must[[]byte](t)(c.generate(t.Context()))
	must[*kms.DisableKeyOutput](t)(c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: c.keyID}))
	_, err := c.generate(t.Context())
	expectRefusal(t, err, "DisabledException")
	must[*kms.EnableKeyOutput](t)(c.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: c.keyID}))
	if again := must[[]byte](t)(c.generate(t.Context())); !bytes.Equal(again, mac) {
		t.Errorf("want %x, got %x", mac, again)
	}
}

func TestKeyThatWaitsForItsDeletionIsRefusedUntilThatIsCancelled(t *testing.T) {
	c := start(t)
	days := int32(7)
	scheduled := must[*kms.ScheduleKeyDeletionOutput](t)(c.ScheduleKeyDeletion(t.Context(),
		&kms.ScheduleKeyDeletionInput{KeyId: c.keyID, PendingWindowInDays: &days}))
	if scheduled.KeyState != types.KeyStatePendingDeletion || scheduled.DeletionDate == nil {
		t.Errorf("scheduled: %v", scheduled)
	}
	_, err := c.generate(t.Context())
	expectRefusal(t, err, "KMSInvalidStateException")
	must[*kms.CancelKeyDeletionOutput](t)(c.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: c.keyID}))
	_, err = c.generate(t.Context())
	expectRefusal(t, err, "DisabledException")
}

func TestKeyIsDescribedAndListed(t *testing.T) {
	c := start(t)
	text := "for orders"
	must[*kms.UpdateKeyDescriptionOutput](t)(c.UpdateKeyDescription(t.Context(),
		&kms.UpdateKeyDescriptionInput{KeyId: c.keyID, Description: &text}))
	described := must[*kms.DescribeKeyOutput](t)(c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: c.keyID}))
	if m := described.KeyMetadata; *m.Description != text || m.KeySpec != types.KeySpecHmac256 || !m.Enabled {
		t.Errorf("described: %v", m)
	}
	limit := int32(1)
	pages := kms.NewListKeysPaginator(c, &kms.ListKeysInput{Limit: &limit})
	listed := false
	for pages.HasMorePages() {
		page := must[*kms.ListKeysOutput](t)(pages.NextPage(t.Context()))
		listed = listed || slices.ContainsFunc(page.Keys, func(k types.KeyListEntry) bool { return *k.KeyId == *c.keyID })
	}
	if !listed {
		t.Errorf("%s is not listed", *c.keyID)
	}
}

func TestAliasNamesTheKeyThatItPointsToNow(t *testing.T) {
	c := start(t)
	other := c.create(t)
	alias := "alias/" + rand.Text()
	must[*kms.CreateAliasOutput](t)(c.CreateAlias(t.Context(),
		&kms.CreateAliasInput{AliasName: &alias, TargetKeyId: c.keyID}))
	must[*kms.UpdateAliasOutput](t)(c.UpdateAlias(t.Context(),
		&kms.UpdateAliasInput{AliasName: &alias, TargetKeyId: other}))
	byAlias := must[[]byte](t)(c.generate(t.Context(), of(&alias)))
	if byID := must[[]byte](t)(c.generate(t.Context(), of(other))); !bytes.Equal(byAlias, byID) {
		t.Errorf("%x by alias, %x by id", byAlias, byID)
	}
	listed := must[*kms.ListAliasesOutput](t)(c.ListAliases(t.Context(), &kms.ListAliasesInput{KeyId: other}))
	if len(listed.Aliases) != 1 || *listed.Aliases[0].AliasName != alias {
		t.Errorf("listed: %v", listed.Aliases)
	}
	must[*kms.DeleteAliasOutput](t)(c.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: &alias}))
	_, err := c.generate(t.Context(), of(&alias))
	expectRefusal(t, err, "NotFoundException")
}

func TestTagsAreSetListedAndRemoved(t *testing.T) {
	c := start(t)
	key, value := "team", "billing"
	must[*kms.TagResourceOutput](t)(c.TagResource(t.Context(),
		&kms.TagResourceInput{KeyId: c.keyID, Tags: []types.Tag{{TagKey: &key, TagValue: &value}}}))
	list := func() []types.Tag {
		return must[*kms.ListResourceTagsOutput](t)(c.ListResourceTags(t.Context(),
			&kms.ListResourceTagsInput{KeyId: c.keyID})).Tags
	}
	if tags := list(); len(tags) != 1 || *tags[0].TagKey != key || *tags[0].TagValue != value {
		t.Errorf("tags: %v", tags)
	}
	must[*kms.UntagResourceOutput](t)(c.UntagResource(t.Context(),
		&kms.UntagResourceInput{KeyId: c.keyID, TagKeys: []string{key}}))
	if tags := list(); len(tags) != 0 {
		t.Errorf("tags: %v", tags)
	}
}

func TestRandomBytesDiffer(t *testing.T) {
	c := connect(t)
	number := int32(32)
	random := func() []byte {
		return must[*kms.GenerateRandomOutput](t)(c.GenerateRandom(t.Context(),
			&kms.GenerateRandomInput{NumberOfBytes: &number})).Plaintext
	}
	if one, two := random(), random(); len(one) != 32 || bytes.Equal(one, two) {
		t.Errorf("%x, %x", one, two)
	}
}
